/** Puts the runs of the gateway on record: its starts, its stops, and changes of its configuration between them. */

import type { AuditRecord } from '../audit/entry.ts'
import type { Journal } from '../audit/journal.ts'
import { settingChanges, settingsOf } from '../config/settings.ts'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Audit, Storage } from '../services.ts'
import { Changes, type RegisteredJournal, type Run } from '../storage/storage.ts'
import { version } from '../version.ts'
import type { Recording } from './recording.ts'

interface Means extends Pick<Recording, 'audit' | 'outbox'> {
  readonly journal: Pick<Journal, 'head'>
  readonly storage: Storage
  readonly log: Log
}

/** A run that is on record. Disposal records its stop. */
export interface RecordedRun extends AsyncDisposable {
  /** Why it stops, if it does. */
  why: string
}

/** Rejects with OperatorError if the start cannot be recorded. After a crash in between, the next start records the same changes again. */
export async function recordRun(config: Config, means: Means): Promise<RecordedRun> {
  const { storage, audit, outbox, log } = means
  const { journal } = means.journal.head
  const record = (event: AuditRecord) => outbox.record(new Changes(), event)
  const run = { version, settings: settingsOf(config) }
  const last = lastRun(config.gateway, journal, await storage.journals.list())
  try {
    for (const event of startOf(config.gateway, run, last, audit)) await record(event)
  } catch (error) {
    const { cause } = error as Error
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    throw new OperatorError(`the start cannot be recorded in ${config.audit.file}${why}`, { cause: error })
  }
  await storage.journals.writeRun(journal, { ...run, stopped: false })
  const recorded: RecordedRun = {
    why: 'start failed',
    async [Symbol.asyncDispose]() {
      try {
        await record(audit.gatewayEvent('StopGateway', { reason: recorded.why }))
        await storage.journals.writeRun(journal, { ...run, stopped: true })
      } catch (err) {
        log.error({ event: 'audit_write_failed', err }, 'Cannot record the stop of the gateway')
      }
    },
  }
  return recorded
}

/** Also if it had another journal then, or another name. */
function lastRun(gateway: string, journal: string, journals: readonly RegisteredJournal[]): Run | undefined {
  const own = journals.filter(({ id, gateway: name }) => id === journal || name === gateway)
  return own.find(({ id, run }) => id === journal && run)?.run ?? own.findLast(({ run }) => run)?.run
}

function startOf(
  gateway: string,
  { version, settings }: Pick<Run, 'version' | 'settings'>,
  last: Run | undefined,
  audit: Audit,
): readonly AuditRecord[] {
  const changes = last === undefined ? [] : settingChanges(last.settings, settings)
  const start = audit.gatewayEvent('StartGateway', {
    version,
    gateway,
    ...(last?.stopped === false && { lastStop: 'not recorded' }),
  })
  return changes.length === 0 ? [start] : [audit.gatewayEvent('ChangeConfiguration', { changes }), start]
}
