import type { RecordSinkEvent } from '../audit/sinks/sink-process.ts'
import type { Log } from '../log.ts'
import { Changes } from '../storage/storage.ts'
import type { Recording } from './recording.ts'

/** Puts on record what happens to sinks. */
export function sinkRecorder({
  audit,
  outbox,
  log,
}: Pick<Recording, 'audit' | 'outbox'> & { readonly log: Log }): RecordSinkEvent {
  return (name, details) => {
    outbox
      .record(new Changes(), audit.gatewayEvent(name, details))
      .catch((err: unknown) => log.error({ event: 'audit_write_failed', err }, 'Cannot record the state of audit sink'))
  }
}
