/** Puts the runs of the gateway on record: its starts, its stops, and changes of its configuration between them. */

import { settingChanges, settingsOf } from '../config/settings.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import type { Audit, Storage } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { version } from '../version.ts'
import type { Recording } from './recording.ts'

type Means = Pick<Recording, 'audit' | 'outbox'> & { readonly storage: Storage; readonly log: Log }

/** A run that is on record. Disposal records its stop. */
export interface RecordedRun extends AsyncDisposable {
  /** Why it stops, if it does. */
  why: string
}

/** Rejects if the start cannot be recorded. After a crash in between, the next start records the same changes again. */
export async function recordRun(config: Config, { storage, audit, outbox, log }: Means): Promise<RecordedRun> {
  const record = (event: ReturnType<Audit['gatewayEvent']>) => outbox.record(new Changes(), event)
  const run = { version, settings: settingsOf(config) }
  const last = await storage.lastRun.read()
  const changes = last === undefined ? [] : settingChanges(last.settings, run.settings)
  if (changes.length > 0) await record(audit.gatewayEvent('ChangeConfiguration', { changes }))
  const wasKilled = last?.stopped === false
  await record(audit.gatewayEvent('StartGateway', { version, ...(wasKilled && { lastStop: 'not recorded' }) }))
  await storage.lastRun.write({ ...run, stopped: false })
  const recorded: RecordedRun = {
    why: 'start failed',
    async [Symbol.asyncDispose]() {
      try {
        await record(audit.gatewayEvent('StopGateway', { reason: recorded.why }))
        await storage.lastRun.write({ ...run, stopped: true })
      } catch (err) {
        log.error({ event: 'audit_write_failed', err }, 'Cannot record the stop of the gateway')
      }
    },
  }
  return recorded
}
