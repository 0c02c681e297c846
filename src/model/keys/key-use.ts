import type { Key } from './key.ts'

/** The last successful cryptographic use of a KMS key: KMS API Reference, "GetKeyLastUsage". */
export interface KeyUse {
  readonly keyArn: string
  /** By its wire name. */
  readonly operation: string
  /** Milliseconds since the epoch: the eventTime of the audit record. */
  readonly usedAt: number
  /** Of the audit record. */
  readonly eventId: string
  readonly requestId: string
}

/** Since when uses of a key are known, in milliseconds since the epoch. @param trackingStart of the storage */
export function trackingStartOf({ creationDate }: Pick<Key, 'creationDate'>, trackingStart: number): number {
  return Math.max(creationDate, trackingStart)
}
