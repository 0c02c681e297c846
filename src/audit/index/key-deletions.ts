/** What audit records say about the end of keys: storage forgets a key that is deleted. */
import { type FormerKey, formerKeyIn } from '../../model/usage/deleted-key.ts'
import type { AuditRecord } from '../entry.ts'

export interface KeyDeletion {
  readonly kind: 'scheduled' | 'cancelled' | 'deleted'
  readonly keyArn: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Only if it is deleted, and its record is not that of an older version. */
  readonly key?: FormerKey | undefined
}

const kinds: ReadonlyMap<string, KeyDeletion['kind']> = new Map([
  ['ScheduleKeyDeletion', 'scheduled'],
  ['CancelKeyDeletion', 'cancelled'],
  ['DeleteKey', 'deleted'],
])

/** Undefined for any other record. */
export function keyDeletionIn(record: AuditRecord): KeyDeletion | undefined {
  const { eventName = '', errorCode, eventTime, resources, additionalEventData } = record
  const kind = kinds.get(eventName)
  const keyArn = resources?.[0]?.ARN
  if (kind === undefined || errorCode !== undefined || keyArn === undefined) return undefined
  const time = Date.parse(eventTime)
  return { kind, keyArn, time, key: kind === 'deleted' ? formerKeyIn(additionalEventData?.strongroom) : undefined }
}
