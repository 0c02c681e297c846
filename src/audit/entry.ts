/**
 * One audited call, in the shape of a CloudTrail record (CloudTrail User Guide, "CloudTrail record contents"), so that CloudTrail tools can
 * read it. It never holds plaintext, ciphertext, secrets or key material.
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
  /** Wire name of the operation; absent if the request did not name a known one. */
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
  /** Of some events that no call caused. */
  readonly serviceEventDetails?: Readonly<Record<string, unknown>> | undefined
  /** Only on a record that was delivered late (same guide, "addendum"). */
  readonly addendum?: { readonly reason: 'DELIVERY_DELAY' }
  /** Absent on success. */
  readonly errorCode?: string | undefined
  readonly errorMessage?: string | undefined
  readonly recipientAccountId?: string | undefined
  /** The same in the records of one call for several accounts. */
  readonly sharedEventID?: string | undefined
}
