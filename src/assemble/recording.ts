/** The audit journal and the outbox, as a gateway and the commands open them. */
import { apis } from '../apis/catalogue.ts'
import { type Audit, createAudit } from '../audit/audit.ts'
import type { Journal } from '../audit/journal.ts'
import { linesAfter } from '../audit/lines-after.ts'
import { openJournal } from '../audit/open-journal.ts'
import type { Config } from '../config.ts'
import { Outbox } from '../outbox.ts'
import type { JournalMetrics, Log, Storage } from '../services.ts'
import { JournalReport } from './journal-report.ts'

export interface Recording {
  readonly audit: Audit
  readonly outbox: Outbox
}

interface RecordingOptions {
  readonly clock: () => number
  readonly log?: Log
  readonly metrics?: JournalMetrics
}

/** Opens the audit journal, and writes records that storage still keeps for it. */
export async function openAudit(
  { audit: { file, segment, writeTimeout } }: Config,
  storage: Storage,
  opened: AsyncDisposableStack,
  { clock, log, metrics }: RecordingOptions,
): Promise<Recording & { readonly journal: Journal }> {
  const held = await storage.outbox.list()
  const [known] = (await storage.outbox.position())?.split(' ') ?? []
  const observer = new JournalReport(file, { clock, log, metrics })
  const options = { clock, ...segment, writeTimeout, observer, awaited: held.length > 0, known }
  const { journal, findings } = await openJournal(file, options)
  opened.adopt(journal, journal => journal.close())
  const audit = createAudit(journal, clock, apis[0].eventSource)
  const linesOfJournal = (position: string) => linesAfter(file, position, journal.position)
  const outbox = opened.adopt(await Outbox.open(storage, journal, held, { linesAfter: linesOfJournal, log }), outbox =>
    outbox
      .settle()
      .catch((error: unknown) => log?.error({ event: 'audit_write_failed', err: error }, 'Cannot write audit records')),
  )
  // Not earlier: the outbox has to read what the last run wrote before anything is written.
  observer.watch(journal, audit, findings)
  return { journal, audit, outbox }
}
