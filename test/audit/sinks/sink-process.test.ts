import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { cursorFile } from '../../../src/audit/sinks/cursor.ts'
import { send } from '../../../src/audit/sinks/messages.ts'
import { Sinks } from '../../../src/audit/sinks/sinks.ts'
import { startProcess } from '../../../src/child-process.ts'
import type { LogFields } from '../../../src/log.ts'
import { children } from '../../hsm/children.ts'
import { aRecord } from '../records.ts'
import { aCheckpoint, configured, openJournal, type TestJournal } from './journals.ts'
import { makeTlsFiles, startHttps, startSyslog, tlsFiles } from './receivers.ts'

let remove = () => {}
beforeAll(() => {
  remove = makeTlsFiles()
})
afterAll(() => remove())

interface Started {
  readonly sinks: Sinks
  readonly logged: LogFields[]
  readonly recorded: string[]
}

function start({ journal, path }: TestJournal, sinks: Record<string, object>, clock = () => 0): Started {
  const logged: LogFields[] = []
  const recorded: string[] = []
  const keep = (fields: LogFields) => void logged.push(fields)
  const options = Object.fromEntries(Object.entries(sinks).map(([name, settings]) => [name, configured(settings)]))
  const log = { error: keep, warn: keep, info: keep }
  const started = new Sinks({ sinks: options, file: path, secretsOf: () => ({}), clock, log })
  onTestFinished(() => started.close())
  started.follow(journal, event => void recorded.push(event))
  return { sinks: started, logged, recorded }
}

const records = (count: number) => Array.from({ length: count }, (_, i) => aRecord(i + 1))

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise(resolve => setTimeout(resolve, 5))
}

const reopened = (test: TestJournal) => openJournal(join(test.path, '..'))

const textOf = (file: string) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

describe('the process of a sink', () => {
  it('delivers what is in the journal and what comes, is restarted when it is killed, and delivers the rest when it is closed', async () => {
    const test = await openJournal()
    await test.append(aRecord(1))
    const file = join(test.path, '../copy.jsonl')
    const { sinks, logged } = start(test, { copy: { type: 'file', records: true, file, flushInterval: '100ms' } })
    await until(() => textOf(file).includes('"eventID":"1"'))
    for (const pid of children()) process.kill(pid, 'SIGKILL')
    await test.append(aRecord(2))
    await until(() => textOf(file).includes('"eventID":"2"'))
    await until(() => logged.some(({ event }) => event === 'audit_sink_recovered'))
    expect(logged).toContainEqual(
      expect.objectContaining({ event: 'audit_sink_failed', sink: 'copy', reason: 'its process ended: SIGKILL' }),
    )
    expect(sinks.all).toEqual([{ name: 'copy', lagRecords: 0, lagSeconds: 0, errors: 1 }])

    // A process that does not read delays nobody, and gets only what matters: how far the journal is.
    for (const pid of children()) process.kill(pid, 'SIGSTOP')
    for (let i = 3; i < 200; i++) await test.append(aRecord(i))
    await test.append(aCheckpoint())
    expect(sinks.all[0]!.lagRecords).toBe(197)
    for (const pid of children()) process.kill(pid, 'SIGCONT')
    await test.journal.close()
    await sinks.close()
    const lines = new Set(textOf(file).split('\n'))
    expect(lines).toEqual(new Set([...records(199), aCheckpoint()].map(line => JSON.stringify(line)).concat('')))
    expect(children()).toEqual([])

    // With nothing to deliver, it is not behind.
    let ticks = 0
    const clock = () => (ticks += 1000)
    const again = start(await reopened(test), { copy: { type: 'file', records: true, file } }, clock)
    await until(() => again.sinks.all[0]!.lagRecords === 0)
    expect(again.sinks.all[0]!.lagSeconds).toBe(0)
  })

  it('delays no other sink, and closing by no more than its grace, whatever its receiver does', async () => {
    const test = await openJournal()
    const stalled = await startSyslog(socket => socket.pause())
    const silent = await startHttps(() => {})
    const refusing = await startHttps(response => response.writeHead(500).end())
    const file = join(test.path, '../copy.jsonl')
    const common = { records: true, flushInterval: '100ms', timeout: '10m', caFile: tlsFiles.caFile }
    let now = 1_000_000
    const { sinks, logged, recorded } = start(
      test,
      {
        stalled: { ...common, type: 'syslog', host: '127.0.0.1', port: stalled.port },
        silent: { ...common, type: 'webhook', url: silent.url },
        refusing: { ...common, type: 'webhook', url: refusing.url },
        copy: { type: 'file', records: true, file, flushInterval: '100ms' },
      },
      () => now,
    )
    await test.append(aRecord(1, { eventTime: new Date(now).toISOString() }), aCheckpoint())
    await until(() => sinks.all[3]!.lagRecords === 0 && textOf(file).includes('checkpoint'))
    await until(() => sinks.all[2]!.errors > 0 && silent.requests.length > 0)
    now += 90_000
    await until(() => recorded.length > 0)
    const lag = { lagRecords: 1, lagSeconds: 90 }
    expect(sinks.all).toEqual([
      { name: 'stalled', errors: 0, ...lag },
      { name: 'silent', errors: 0, ...lag },
      { name: 'refusing', errors: expect.any(Number), ...lag },
      { name: 'copy', errors: 0, lagRecords: 0, lagSeconds: 0 },
    ])
    expect(recorded).toContain('MarkAuditSinkUnavailable')
    const failed = logged.filter(({ event, sink }) => event === 'audit_sink_failed' && sink === 'refusing')
    expect(failed).toEqual([expect.objectContaining({ reason: 'answered with status 500' })])
    const begun = performance.now()
    await sinks.close(200)
    expect(performance.now() - begun).toBeLessThan(15_000)
    expect(children()).toEqual([])
  })

  it('ends when the gateway is gone, whatever it waits for', async () => {
    const test = await openJournal()
    await test.append(aRecord(1))
    const { port } = await startSyslog(socket => socket.pause())
    const command = [join(import.meta.dirname, '../../../src/audit/sinks/process.ts')]
    const child = startProcess({ command, environment: {}, niceness: 10, description: 'process' })
    const sink = configured({ type: 'syslog', host: '127.0.0.1', port, records: true, caFile: tlsFiles.caFile })
    send(child.socket, { start: { sink, journal: test.path, cursor: cursorFile(test.path, 'a') } })
    send(child.socket, { durable: test.place })
    await once(child.socket, 'data')
    child.socket.destroy()
    expect(await child.ended).toBe('SIGKILL')
  })
})
