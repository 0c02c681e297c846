import type { AuditRecord } from '../../src/audit/entry.ts'
import type { FileJournal } from '../../src/audit/file-journal.ts'
import { type Head, isRecord, noHash } from '../../src/audit/format.ts'
import type { Journal } from '../../src/audit/journal.ts'
import { openJournal } from '../../src/audit/open-journal.ts'
import { Failure } from '../../src/errors.ts'

/** Before the first block of a journal. */
export const noBlock: Head = { journal: 'a-journal', segment: 1, block: 0, record: 0, hash: noHash }

export function openAt(path: string, options: { readonly awaited?: boolean } = {}): Promise<FileJournal> {
  return openJournal(path, { clock: () => 0, ...options })
}

/** A journal that keeps its records in a list. */
export function journalInto(records: AuditRecord[]): Journal & { failing: boolean } {
  return {
    failing: false,
    position: '',
    head: noBlock,
    async append(line) {
      await this.check()
      if (isRecord(line)) records.push(line)
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
