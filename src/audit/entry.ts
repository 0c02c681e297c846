/**
 * One audited call, in the shape of a CloudTrail record (CloudTrail User Guide, "CloudTrail record contents"), so that
 * whatever reads CloudTrail reads this. It never holds plaintext, ciphertext, secrets or key material.
 */
export interface AuditRecord {
  readonly eventVersion: '1.11'
  readonly eventID: string
  readonly requestID: string
  /** ISO 8601, UTC, milliseconds. */
  readonly eventTime: string
  readonly eventSource: string
  readonly eventType: 'AwsApiCall' | 'AwsServiceEvent'
  readonly eventCategory: 'Management'
  readonly managementEvent: true
  /** Wire name of the operation; absent when the request did not name one that exists. */
  readonly eventName?: string | undefined
  readonly awsRegion?: string | undefined
  readonly readOnly?: boolean | undefined
  readonly userIdentity?: Readonly<Record<string, unknown>> | undefined
  readonly sourceIPAddress?: string | undefined
  readonly userAgent?: string | undefined
  readonly resources?:
    | readonly { readonly ARN: string; readonly accountId: string; readonly type?: string | undefined }[]
    | undefined
  /** Only members that the operation declares as recorded, names in lowerCamel. */
  readonly requestParameters?: Readonly<Record<string, unknown>> | null
  readonly responseElements?: Readonly<Record<string, unknown>> | null
  readonly additionalEventData?: Readonly<Record<string, unknown>> | undefined
  /** Only on a record that was written later than its event ended (same guide, "addendum"). */
  readonly addendum?: { readonly reason: 'DELIVERY_DELAY' }
  /** Absent on success. */
  readonly errorCode?: string | undefined
  readonly errorMessage?: string | undefined
  readonly recipientAccountId?: string | undefined
}

/** Where audit records go. */
export interface Journal {
  /** True from a failed append until the next one that succeeds. While it is, nothing may be changed. */
  readonly failing: boolean
  /** Where the journal ends: whatever is appended from now on stands behind it. Opaque, valid beyond a restart. */
  readonly position: string
  /** Resolves once the record is durable on disk; rejects when it could not be written. */
  append(record: AuditRecord): Promise<void>
  /**
   * Whether each event has a record of success. An event is missing where that cannot be told: its record may have been in a file that was
   * moved away, or in a part that was cut off.
   *
   * @param events by id: a position that the journal had before the event was recorded
   */
  successes(events: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, boolean>>
  /** Rejects when no record could be written right now. Ends `failing` when one could. */
  check(): Promise<void>
  close(): Promise<void>
}
