/** The audit journal and the outbox, as a gateway and the commands open them. */
import { apis } from '../apis/catalogue.ts'
import { type Audit, createAudit } from '../audit/audit.ts'
import type { Journal } from '../audit/journal.ts'
import { linesAfter } from '../audit/lines-after.ts'
import { openJournal } from '../audit/open-journal.ts'
import { placeOf } from '../audit/position.ts'
import { lockFileOf } from '../audit/segments.ts'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { Outbox } from '../outbox.ts'
import type { Checkpoints, JournalMetrics, Log } from '../services.ts'
import { lockFile } from '../storage/engines/lock-file.ts'
import { Conflict, type Storage } from '../storage/storage.ts'
import { JournalCheckpoints } from '../vault/checkpoints.ts'
import type { Backends } from './backends.ts'
import { JournalReport } from './journal-report.ts'

export interface Recording {
  readonly audit: Audit
  readonly outbox: Outbox
  readonly checkpoints: Checkpoints
}

interface RecordingOptions {
  readonly clock: () => number
  readonly elapsed?: () => number
  readonly log?: Log
  readonly metrics?: JournalMetrics
}

/** Opens the audit journal, writes records that storage still keeps for it, and signs its end when it is closed. */
export async function openAudit(
  { gateway, audit: settings }: Config,
  { storage, hsms }: Backends,
  opened: AsyncDisposableStack,
  { clock, elapsed = () => performance.now(), log, metrics }: RecordingOptions,
): Promise<Recording & { readonly journal: Journal }> {
  const {
    file,
    segment,
    writeTimeout,
    checkpoints: { interval },
  } = settings
  // That of a fleet was taken before.
  if (storage.fleet.isAlone) opened.use(lockFile(lockFileOf(file), `audit journal ${file}`))
  const own = await ownRecords(gateway, storage)
  const observer = new JournalReport(file, { clock, log, metrics })
  const options = { clock, ...segment, writeTimeout, observer, gateway, ...own }
  const { journal, findings } = await openJournal(file, options)
  opened.adopt(journal, journal => journal.close())
  const checkpoints = new JournalCheckpoints({ journal, gateway, storage, hsms, clock, elapsed, interval })
  opened.adopt(checkpoints, checkpoints =>
    checkpoints
      .sign()
      .catch((error: unknown) =>
        log?.error({ event: 'checkpoint_failed', err: error }, 'Cannot sign the end of the audit file'),
      ),
  )
  const audit = createAudit(journal, clock, apis[0].eventSource, elapsed)
  const linesOfJournal = (position: string) => linesAfter(file, position, journal.position)
  const event: Audit['gatewayEvent'] = (name, details) => audit.gatewayEvent(name, details)
  const opening = Outbox.open(storage, journal, { gateway, linesAfter: linesOfJournal, event, log })
  const outbox = opened.adopt(await opening.catch(error => Promise.reject(explained(error, file))), outbox =>
    outbox
      .settle({ isLast: true })
      .catch((error: unknown) => log?.error({ event: 'audit_write_failed', err: error }, 'Cannot write audit records')),
  )
  // Not earlier: the outbox has to read what the last run wrote before anything is written.
  observer.watch(journal, audit, findings)
  return { journal, audit, outbox, checkpoints }
}

/** What storage knows of the journal of a gateway before it is opened. A journal without a gateway is that of a former version: it may be this one. */
async function ownRecords(gateway: string, { outbox, journals }: Storage) {
  const registered = await journals.list()
  const others = new Set(registered.filter(journal => (journal.gateway ?? gateway) !== gateway).map(({ id }) => id))
  const held = await outbox.list()
  const known = (journal: string) => registered.find(({ id }) => id === journal)
  return {
    awaited: held.some(({ position }) => !others.has(placeOf(position)?.journal ?? '')),
    known: (journal: string) =>
      (known(journal) ?? registered.findLast(journal => journal.gateway === gateway))?.positions?.end,
  }
}

function explained(error: unknown, file: string): unknown {
  if (!(error instanceof Conflict)) return error
  return new OperatorError(`audit journal ${file}: ${error.message}: give each gateway a journal of its own`, {
    cause: error,
  })
}
