/**
 * Records for the other accounts of a call. CloudTrail delivers a call to the caller's account and to the owner of each resource, as events
 * of their own with the same sharedEventID: CloudTrail User Guide, "sharedEventID example". One that is denied is only the caller's: KMS
 * Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail".
 */
import type { AuditRecord } from './entry.ts'
import { copyId } from './event-id.ts'
import type { Journal } from './journal.ts'

/**
 * Resolves once the record and its copies are durable. The record comes last: if it is in the journal, so are they.
 *
 * @param number of the commit that the event caused, if any
 */
export function appendShared(journal: Pick<Journal, 'append'>, record: AuditRecord, number?: number): Promise<void> {
  const lines = number === undefined ? [record] : [{ change: { number, eventID: record.eventID } }, record]
  if (record.sharedEventID === undefined) return journal.append(...lines)
  const copies = copiesOf(record).map(copy => journal.append(copy))
  return Promise.all([...copies, journal.append(...lines)]).then(() => undefined)
}

/** Whether a record is the copy for another account than the caller's. */
export function isCopy({ sharedEventID, recipientAccountId, userIdentity }: AuditRecord): boolean {
  return sharedEventID !== undefined && recipientAccountId !== userIdentity?.accountId
}

function copiesOf(record: AuditRecord): readonly AuditRecord[] {
  const { eventID, resources = [], recipientAccountId, userIdentity = {} } = record
  const accounts = new Set(
    resources.map(({ accountId }) => accountId).filter(account => account !== recipientAccountId),
  )
  return [...accounts].map(account => ({
    ...record,
    eventID: copyId(eventID, account),
    recipientAccountId: account,
    userIdentity: asForeign(userIdentity),
  }))
}

/** Another account learns no names of the caller's: CloudTrail User Guide, "CloudTrail userIdentity element". */
function asForeign({ principalId, accountId, invokedBy }: Readonly<Record<string, unknown>>) {
  return { type: 'AWSAccount', principalId, accountId, invokedBy }
}
