/** A gateway that is killed under load, again and again: what it answered is on record, and the journal is whole. */
import { randomInt } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { segmentsOf } from '../../src/audit/segments.ts'
import { type Installation, install, recordsOf, serve, strongroom } from '../end-to-end/gateway.ts'

const kills = 50
const clients = 24

let installation: Installation
let file: string
beforeAll(async () => {
  installation = await install({ workers: 2 })
  file = join(installation.folder, 'audit.jsonl')
  // So that some kills come in the middle of a rotation.
  installation.configure(({ audit }) => Object.assign(audit, { segment: { maxSize: '1MiB' } }))
})
afterAll(() => installation?.remove())

/** Calls until the gateway is gone, and notes what was answered. */
async function call(kms: KMS, KeyId: string, answered: Set<string>): Promise<never> {
  for (let number = 0; ; number++) {
    const outputs = [
      await kms.encrypt({ KeyId, Plaintext: Buffer.from('text'), EncryptionContext: { number: `${number}` } }),
      await kms.describeKey({ KeyId }),
      ...(number % 10 === 0 ? [await kms.updateKeyDescription({ KeyId, Description: `${number}` })] : []),
    ]
    for (const { $metadata } of outputs) answered.add($metadata.requestId!)
  }
}

/** As if a write had been interrupted. Returns how many bytes that are. */
function tear(): number {
  const text = readFileSync(file)
  const block = text.subarray(text.lastIndexOf('\n', text.length - 1000) + 1)
  const torn = block.subarray(0, randomInt(1, block.length))
  appendFileSync(file, torn)
  return torn.length
}

it(`has a record of every answered call, and a whole chain, after ${kills} kills`, async () => {
  const answered = new Set<string>()
  let torn = 0
  let KeyId: string | undefined
  for (let round = 0; round < kills; round++) {
    const gateway = await serve(installation)
    const kms = gateway.client()
    KeyId ??= (await kms.createKey({})).KeyMetadata!.KeyId!
    const enough = answered.size + randomInt(1, 500)
    const ended = Promise.allSettled(Array.from({ length: clients }, () => call(kms, KeyId!, answered)))
    await vi.waitUntil(() => answered.size >= enough, { timeout: 60_000, interval: 1 })
    await gateway.kill()
    await ended
    if (round % 5 === 0) torn += tear()
  }
  expect(await (await serve(installation)).stop()).toBe(0)
  const records = recordsOf(installation)
  const succeeded = new Set(records.flatMap(({ requestID, errorCode }) => (errorCode === undefined ? [requestID] : [])))
  expect([...answered].filter(requestId => !succeeded.has(requestId))).toEqual([])
  const repairs = records.filter(({ eventName }) => eventName === 'RepairAuditJournal')
  const repaired = repairs.reduce((sum, { serviceEventDetails }) => sum + Number(serviceEventDetails!.bytes), 0)
  expect(repaired).toBeGreaterThanOrEqual(torn)
  expect(records.filter(({ eventName }) => eventName === 'AuditJournalDamaged')).toEqual([])
  const key = join(installation.folder, 'audit-key.pem')
  const verified = await strongroom(['audit', 'verify', '--data', installation.folder, '--public-key', key])
  expect(verified).toMatchObject({ code: 0, stderr: '' })
  const segments = (await segmentsOf(file)).length
  expect(segments).toBeGreaterThan(1)
  const { length } = repairs
  console.log(`${answered.size} answered calls, ${records.length} records in ${segments} segments, ${length} repairs`)
  console.log(verified.stdout)
})
