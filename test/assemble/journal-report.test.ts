import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { JournalReport } from '../../src/assemble/journal-report.ts'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { isRecordLine } from '../../src/audit/format.ts'
import { openJournal } from '../../src/audit/open-journal.ts'
import { segmentFile } from '../../src/audit/segments.ts'
import { createMetrics } from '../../src/metrics.ts'
import { aRecord, journalOptions, openAt, quickFolder } from '../audit/records.ts'

let directory: string
let path: string
let logged: string[]
const metrics = createMetrics(() => [])
const log = {
  error: ({ event }: { event: string }) => void logged.push(event),
  warn: ({ event }: { event: string }) => void logged.push(event),
  info: ({ event }: { event: string }) => void logged.push(event),
}

beforeAll(() => {
  directory = mkdtempSync(join(quickFolder, 'journal-report-'))
})
beforeEach(() => {
  path = join(mkdtempSync(join(directory, 'folder-')), 'audit.jsonl')
  logged = []
})
afterAll(() => rmSync(directory, { recursive: true }))

async function open(known?: string) {
  const observer = new JournalReport(path, { clock: () => 0, log, metrics })
  const { journal, findings } = await openJournal(path, { ...journalOptions, observer, known: () => known })
  observer.watch(
    journal,
    createAudit(journal, () => 0, 'test'),
    findings,
  )
  return journal
}

/** Name and details of each event of the gateway in a file. */
function events(file = path): [string | undefined, unknown][] {
  const records = readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '' && isRecordLine(line))
  const found = records
    .map(line => JSON.parse(line) as AuditRecord)
    .filter(({ eventSource }) => eventSource === 'strongroom')
  return found.map(({ eventName, serviceEventDetails }) => [eventName, serviceEventDetails])
}

async function gauge(name: string): Promise<string | undefined> {
  return new RegExp(`^strongroom_audit_${name} (.*)$`, 'm').exec(await metrics.text())?.[1]
}

it('puts on record what was found when the journal was opened', async () => {
  const before = await openAt(path)
  for (const number of [1, 2]) await before.append(aRecord(number))
  await before.close()
  const known = before.position.replace(/\d+$/, size => `${Number(size) + 1000}`)
  writeFileSync(path, readFileSync(path, 'utf8').replace('request-1', 'request-X'))
  appendFileSync(path, '{"eventVer')
  const journal = await open(known)
  await journal.close()
  expect(events()).toEqual([
    ['RepairAuditJournal', { segment: 1, bytes: 10 }],
    ['AuditJournalDamaged', { segment: 1, fault: 'brokenChain', after: 1, offset: expect.any(Number) }],
    ['AuditJournalDamaged', { segment: 1, fault: 'recordsLost', expected: known, found: before.position }],
  ])
  expect(logged).toEqual(['audit_repaired', 'audit_damaged', 'audit_damaged'])
  expect(await gauge('damaged')).toBe('1')
  expect(await gauge('records_total')).toBe('3')
})

it('puts on record what happens to the files, once it can be written', async () => {
  const journal = await open()
  await journal.append(aRecord(1))
  renameSync(path, `${path}.away`)
  for (const number of [2, 3]) await expect(journal.append(aRecord(number))).rejects.toThrow()
  expect(await gauge('failing')).toBe('1')
  renameSync(`${path}.away`, path)
  await journal.append(aRecord(4))
  expect(await gauge('failing')).toBe('0')
  await journal.check()
  const reason = expect.stringContaining('no such file')
  expect(events()).toEqual([['RecoverAuditJournal', { since: '1970-01-01T00:00:00.000Z', reason }]])
  rmSync(path)
  await expect(journal.append(aRecord(5))).rejects.toThrow()
  await journal.append(aRecord(6))
  await journal.check()
  expect(events().map(([name, details]) => [name, details])).toEqual([
    ['RestoreAuditJournal', { segment: 1, file: segmentFile(path, 1) }],
    ['RecoverAuditJournal', { since: expect.any(String), reason }],
  ])
  truncateSync(path, 0)
  await expect(journal.append(aRecord(7))).rejects.toThrow()
  await journal.append(aRecord(8))
  await journal.close()
  const file = segmentFile(path, 2)
  expect(events()[0]).toEqual(['AuditJournalDamaged', { segment: 2, fault: 'changedByAnotherProcess', file }])
  expect(logged.filter(event => !event.startsWith('audit_write'))).toEqual([
    'audit_file_created',
    'audit_file_restored',
    'audit_damaged',
  ])
  expect(await gauge('segment')).toBe('3')
})
