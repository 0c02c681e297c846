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
