import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { isRecordLine } from '../../src/audit/format.ts'
import { makeTlsFiles, startHttps, tlsFiles } from '../audit/sinks/receivers.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'

/** A gateway with two sinks: a webhook that never answers, and a file. */

const token = 'a-token-for-this-test-only'
let installation: Installation
let gateway: Gateway | undefined
let removeTlsFiles = () => {}
let copy: string

beforeAll(async () => {
  removeTlsFiles = makeTlsFiles()
  installation = await install()
  copy = join(installation.folder, 'copy.jsonl')
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
  removeTlsFiles()
})

function lines(): string[] {
  return existsSync(copy) ? readFileSync(copy, 'utf8').split('\n').slice(0, -1) : []
}

function copied(): AuditRecord[] {
  return lines()
    .filter(isRecordLine)
    .map(line => JSON.parse(line) as AuditRecord)
}

const eventIds = (records: readonly AuditRecord[]) => new Set(records.map(({ eventID }) => eventID))

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise(resolve => setTimeout(resolve, 20))
}

it('records reach a sink whatever another one does, the last ones while the gateway stops, and secrets only the sink that needs them', async () => {
  const silent = await startHttps(() => {})
  installation.configure(({ audit }) => {
    const hook = {
      type: 'webhook',
      url: silent.url,
      caFile: tlsFiles.caFile,
      headerVariables: { 'X-Token': 'HOOK_TOKEN' },
    }
    const sinks = {
      hook: { ...hook, records: true, timeout: '10m' },
      copy: { type: 'file', file: copy, records: true, flushInterval: '100ms' },
    }
    Object.assign(audit, { sinks })
  })
  gateway = await serve(installation, { environment: { HOOK_TOKEN: token } })
  const kms = gateway.client()
  const { KeyMetadata } = await kms.createKey()
  await until(() => silent.requests.length > 0)
  expect(silent.requests[0]!.headers['x-token']).toBe(token)
  for (let i = 0; i < 20; i++) await kms.encrypt({ KeyId: KeyMetadata!.KeyId, Plaintext: Buffer.from('a') })
  await until(() => gateway!.records().length === eventIds(copied()).size)
  const metrics = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
  expect(metrics).toMatch(/strongroom_audit_sink_lag_records\{sink="hook"\} 2\d\n/)

  const processes = gateway.workers()
  const read = (name: string) => processes.map(pid => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
  expect(read('environ').filter(text => text.includes(token))).toHaveLength(1)
  expect(read('cmdline').filter(text => text.includes(token) || text.includes(silent.url))).toEqual([])
  expect(await gateway.stop()).toBe(0)
  const events = copied()
  expect(eventIds(events)).toEqual(eventIds(gateway.records()))
  expect(events.at(-1)).toMatchObject({ eventName: 'StopGateway' })
  // The last checkpoint signs it.
  expect(JSON.parse(lines().at(-1)!)).toMatchObject({ checkpoint: { record: gateway.records().length } })
  expect(gateway.complaints().join()).not.toContain(token)
}, 60_000)
