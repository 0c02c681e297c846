import type { Audit } from '../audit/audit.ts'
import type { JournalObserver, Loss } from '../audit/file-journal.ts'
import type { Journal } from '../audit/journal.ts'
import type { Findings } from '../audit/open-journal.ts'
import { segmentFile } from '../audit/segments.ts'
import type { JournalMetrics, Log } from '../services.ts'

interface Means {
  readonly clock: () => number
  readonly log?: Log | undefined
  readonly metrics?: JournalMetrics | undefined
}

type Details = Readonly<Record<string, unknown>>

/** Reports what happens to the audit journal: in the log, in metrics, and in the journal itself as soon as it can be written. */
export class JournalReport implements JournalObserver {
  readonly #file: string
  readonly #means: Means
  #record: (name: string, details: Details) => Promise<void> = () => Promise.reject(new Error('not open yet'))
  /** Events that are not on record yet. */
  #pending: [name: string, details: Details][] = []
  #failure: Details = {}

  constructor(file: string, means: Means) {
    this.#file = file
    this.#means = means
  }

  watch(journal: Journal, audit: Audit, { isNew, cut, broken, lost }: Findings): void {
    const { log, metrics } = this.#means
    const file = this.#file
    this.#record = (name, details) => journal.append(audit.gatewayEvent(name, details))
    let { record } = journal.head
    journal.follow(({ head, offset, length }) => {
      metrics?.auditWritten({ segment: head.segment, bytes: offset + length, records: head.record - record })
      record = head.record
    })
    if (isNew) log?.warn({ event: 'audit_file_created', file }, 'No audit file found: created a new one')
    const { segment } = journal.head
    if (cut > 0) {
      log?.warn(
        { event: 'audit_repaired', file, bytes: cut },
        'Removed an incomplete block from the end of the audit file',
      )
      this.#note('RepairAuditJournal', { segment, bytes: cut })
    }
    if (broken) this.#damaged({ segment, fault: 'brokenChain', ...broken })
    if (lost) this.#damaged({ segment, fault: 'recordsLost', expected: lost, found: journal.position })
  }

  writing(): () => void {
    return this.#means.metrics?.auditWriteStarted() ?? (() => {})
  }

  failed(error: unknown): void {
    const { clock, log, metrics } = this.#means
    this.#failure = {
      since: new Date(clock()).toISOString(),
      reason: error instanceof Error ? error.message : 'unknown',
    }
    metrics?.auditFailing(true)
    log?.error({ event: 'audit_write_failed', err: error }, 'Cannot write the audit journal: requests are refused')
  }

  recovered(): void {
    this.#means.metrics?.auditFailing(false)
    this.#means.log?.info({ event: 'audit_write_recovered' }, 'Audit records can be written again')
    this.#note('RecoverAuditJournal', this.#failure)
  }

  lost({ segment, condition }: Loss): void {
    const file = segmentFile(this.#file, segment)
    if (condition === 'damaged') {
      this.#damaged({ segment, fault: 'changedByAnotherProcess', file })
    } else {
      this.#means.log?.error({ event: 'audit_file_restored', file }, 'The audit file was removed: restored it')
      this.#note('RestoreAuditJournal', { segment, file })
    }
  }

  rotationFailed(error: unknown): void {
    this.#means.metrics?.auditRotationFailing(true)
    this.#means.log?.error({ event: 'audit_rotation_failed', err: error }, 'Cannot begin the next audit file')
  }

  rotated(): void {
    this.#means.metrics?.auditRotationFailing(false)
  }

  #damaged(details: Details): void {
    this.#means.metrics?.auditDamaged()
    this.#means.log?.error({ event: 'audit_damaged', ...details }, 'The audit journal is damaged')
    this.#note('AuditJournalDamaged', details)
  }

  /** Those that cannot be written now follow when the journal has recovered. */
  #note(name: string, details: Details): void {
    this.#pending.push([name, details])
    for (const event of this.#pending.splice(0)) this.#record(...event).catch(() => this.#pending.push(event))
  }
}
