/** Events of a machine with several gateway processes, each with a journal and an index of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuditRecord } from '../../../src/audit/entry.ts'
import { eventId } from '../../../src/audit/event-id.ts'
import type { FileJournal } from '../../../src/audit/file-journal.ts'
import { IndexFile } from '../../../src/audit/index/index-file.ts'
import { JournalIndex, type Snapshot } from '../../../src/audit/index/journal-index.ts'
import { indexFile } from '../../../src/audit/segments.ts'
import { aRecord, openAt, quickFolder } from '../records.ts'

const account = '111122223333'
const search = { scope: { account, region: 'us-east-1' } }
const start = Date.parse('2026-01-02T03:04:05Z')
const meteredSources = ['kms.amazonaws.com']

let folder: string
let processes: Process[]

class Process {
  readonly journal: FileJournal
  readonly index: JournalIndex

  private constructor(journal: FileJournal, index: JournalIndex) {
    this.journal = journal
    this.index = index
  }

  static async start(name: string, others: readonly string[], maxSize?: number): Promise<Process> {
    const file = (name: string) => join(folder, `${name}.jsonl`)
    const journal = await openAt(file(name), maxSize === undefined ? {} : { maxSize })
    const active = file(name)
    const index = new JournalIndex({
      journal,
      open: () => new IndexFile({ path: indexFile(active), active, meteredSources }),
      meteredSources,
      others: others.map(other => ({ active: file(other), path: indexFile(file(other)) })),
      report: { caughtUp() {}, failed() {} },
    })
    return new Process(journal, index)
  }

  /** @param second of its call */
  async call(second: number): Promise<AuditRecord> {
    const time = start + second * 1000
    const record = aRecord(0, {
      eventID: eventId(time),
      eventTime: new Date(time).toISOString().replace('.000', ''),
      awsRegion: 'us-east-1',
      recipientAccountId: account,
    })
    await this.journal.append(record)
    return record
  }

  async stop(): Promise<void> {
    await this.index.close()
    await this.journal.close()
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(quickFolder, 'other-journals-'))
  processes = []
})
afterEach(async () => {
  for (const process of processes) await process.stop()
  rmSync(folder, { recursive: true })
})

async function twoProcesses(maxSize?: number): Promise<[Process, Process]> {
  const one = await Process.start('audit', ['audit-2', 'audit-3'], maxSize)
  const two = await Process.start('audit-2', ['audit', 'audit-3'], maxSize)
  processes = [one, two]
  return [one, two]
}

describe('events of several processes', () => {
  it.each([
    ['before any is indexed', false, undefined],
    ['that are indexed', true, undefined],
    ['in many segments', true, 2000],
  ] as const)('%s are found by each, page by page, whichever is asked', async (_, isIndexed, maxSize) => {
    const both = await twoProcesses(maxSize)
    const expected: string[] = []
    for (let second = 0; second < 25; second++) {
      const { eventID } = await both[second % 3 === 0 ? 0 : 1]!.call(second)
      expected.unshift(eventID)
    }
    if (isIndexed) for (const { index } of both) await index.flush()
    let before: readonly Snapshot[] | undefined
    let after: { time: number; id: string } | undefined
    const found: string[] = []
    for (let page = 0; page < 6; page++) {
      const { index } = both[page % 2]!
      const now = await index.snapshot()
      before ??= now
      const events = (await index.find(search, { limit: 5, before, after }))!
      found.push(...events.map(({ record }) => record.eventID))
      const last = events.at(-1)
      if (last) after = { time: last.time, id: last.record.eventID }
      // What comes meanwhile is on no further page.
      for (const process of both) await process.call(100 + page)
    }
    expect(found).toEqual(expected)
  })

  it('are counted together', async () => {
    const both = await twoProcesses()
    const record = { eventName: 'Encrypt', userIdentity: { accountId: account }, eventSource: 'kms.amazonaws.com' }
    for (const [index, { journal }] of both.entries()) {
      for (let count = 0; count <= index; count++) {
        const eventTime = new Date(start).toISOString()
        await journal.append(aRecord(0, { ...record, eventID: eventId(start), eventTime, recipientAccountId: account }))
      }
    }
    for (const { index } of both) await index.flush()
    const index = await both[0].index.flush()
    const other = { active: join(folder, 'audit-2.jsonl'), path: indexFile(join(folder, 'audit-2.jsonl')) }
    const days = { from: '2026-01-01', to: '2026-01-03' }
    const count = async (journal?: typeof other) => {
      const pieces = await index.calls(days, journal)
      return pieces
        .flatMap(piece => JSON.parse(piece) as { calls: number }[])
        .reduce((sum, { calls }) => sum + calls, 0)
    }
    expect([await count(), await count(other)]).toEqual([1, 2])
    const none = { active: join(folder, 'audit-3.jsonl'), path: indexFile(join(folder, 'audit-3.jsonl')) }
    expect([await index.calls(days, none), await index.firstDay(none), await index.endOf(none)]).toEqual([
      [],
      undefined,
      undefined,
    ])
  })
})
