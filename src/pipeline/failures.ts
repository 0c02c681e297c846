/** Failed requests: their audit records, logs and metrics, and what their callers are told. */
import { AccessDenied, Failure, type Refusal, UnusableKey } from '../errors.ts'
import { Undelivered } from '../outbox.ts'
import type { Entry, Log, PathServices } from '../services.ts'

/** Audits a failure; if that fails, too, the answer is an internal error. Logs refusals, and failures that are not the caller's. */
export async function auditFailure(
  entry: Entry,
  failure: Failure,
  errorCode: (failure: Failure) => string,
  { audit, outbox, metrics, log }: PathServices,
): Promise<Failure> {
  const { requestId } = entry
  const isServerFault = failure.fault === 'server'
  if (failure.code === 'AccessDenied') logRefusal(entry, failure, log)
  if (failure instanceof UnusableKey) reportRefusedUse(entry, failure, { metrics, log })
  if (!(failure instanceof Undelivered)) {
    entry.responseElements = undefined
    entry.change = undefined
    try {
      await outbox.fail(audit.record(entry, { code: errorCode(failure), message: failure.message }))
    } catch (thrown) {
      const err = isServerFault
        ? new AggregateError([thrown, failure], 'the request failed, and its audit record could not be written')
        : thrown
      log.error({ event: 'audit_write_failed', err, requestId }, 'Cannot write audit record')
      return new Failure('Internal', '', { cause: thrown })
    }
  }
  if (isServerFault) log.error({ event: 'request_failed', err: failure, requestId }, 'Request failed')
  return failure
}

/** Not on record: the reasons are. */
export async function toldToCaller(
  failure: Failure,
  { caller }: Entry,
  { encodeRefusal }: PathServices,
): Promise<Failure> {
  const isEncoded = encodeRefusal && caller && failure instanceof AccessDenied
  return isEncoded ? encodeRefusal(failure, caller) : failure
}

function logRefusal(entry: Entry, failure: Failure, log: Log): void {
  const { requestId, caller, operation } = entry
  const { action, resource, reasons }: Refusal = failure instanceof AccessDenied ? failure.refusal : { reasons: [] }
  entry.reasons = reasons
  const fields = { requestId, principal: caller?.arn, operation: operation?.name, action, resource, reasons }
  log.info({ event: 'access_denied', ...fields }, 'Access denied')
}

/** So that whoever still needs a key is seen before it is deleted. Operations that use keys change nothing. */
function reportRefusedUse(
  entry: Entry,
  { arn, state }: UnusableKey,
  { metrics, log }: Pick<PathServices, 'metrics' | 'log'>,
): void {
  const { requestId, caller, operation } = entry
  if (!operation?.readOnly) return
  metrics.keyUseRefused(state)
  const fields = { requestId, principal: caller?.arn, operation: operation.name, key: arn, state }
  log.info({ event: 'key_use_refused', ...fields }, 'Use of a key refused because of its state')
}
