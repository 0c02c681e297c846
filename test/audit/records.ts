import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { AuditRecord } from '../../src/audit/entry.ts'
import type { FileJournal, JournalObserver, JournalOptions } from '../../src/audit/file-journal.ts'
import { type Head, isRecord, noHash } from '../../src/audit/format.ts'
import type { Journal } from '../../src/audit/journal.ts'
import { type OpenOptions, openJournal } from '../../src/audit/open-journal.ts'
import { Failure } from '../../src/errors.ts'

/** For folders of tests that write many journals: in memory where there is such a disk. */
export const quickFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Before the first block of a journal. */
export const noBlock: Head = {
  journal: '00000000-0000-4000-8000-000000000000',
  segment: 1,
  block: 0,
  record: 0,
  hash: noHash,
}

export const quiet: JournalObserver = {
  writing: () => () => {},
  failed() {},
  recovered() {},
  lost() {},
  rotated() {},
  rotationFailed() {},
}

export const journalOptions: JournalOptions = {
  clock: () => 0,
  maxSize: Number.POSITIVE_INFINITY,
  maxAge: Number.POSITIVE_INFINITY,
  writeTimeout: 60_000,
  observer: quiet,
}

export async function openAt(path: string, options: Partial<OpenOptions> = {}): Promise<FileJournal> {
  return (await openJournal(path, { ...journalOptions, ...options })).journal
}

/** A journal that keeps its records in a list. */
export function journalInto(records: AuditRecord[], journal = noBlock.journal): Journal & { failing: boolean } {
  return {
    failing: false,
    position: `${journal}:1:0`,
    head: { ...noBlock, journal },
    async append(...lines) {
      await this.check()
      records.push(...lines.filter(isRecord))
    },
    follow() {},
    async check() {
      if (this.failing) throw new Failure('Internal')
    },
    async close() {},
  }
}

export function aRecord(number: number, rest: Partial<AuditRecord> = {}): AuditRecord {
  return {
    eventVersion: '1.11',
    eventID: `${number}`,
    requestID: `request-${number}`,
    eventTime: '2025-01-02T03:04:05.678Z',
    eventSource: 'kms.amazonaws.com',
    eventType: 'AwsApiCall',
    eventCategory: 'Management',
    managementEvent: true,
    eventName: 'Encrypt',
    ...rest,
  }
}
