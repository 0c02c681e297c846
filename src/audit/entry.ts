import type { Caller } from '../model/identities/caller.ts'
import type { RecordedMaterial } from '../model/keys/recorded-material.ts'

/** The audit entry of a call in progress, which the pipeline fills in step by step. */
export interface Entry extends Request {
  readonly eventId: string
  readonly requestId: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** The same by the monotonic clock, for the duration. */
  readonly elapsedAtStart: number
  caller: Caller | undefined
  operation: { readonly name: string; readonly readOnly: boolean } | undefined
  /** ARNs. */
  resources: readonly string[] | undefined
  /** Account whose resource it is, if its ARN does not tell; empty if it is none's. */
  owner: string | undefined
  /** Only the members that the operation declares as recorded. */
  requestParameters: Readonly<Record<string, unknown>> | undefined
  responseElements: Readonly<Record<string, unknown>> | undefined
  additionalEventData: Readonly<Record<string, unknown>> | undefined
  /** Key material that is used. */
  material: RecordedMaterial | undefined
  /** What is told of a change besides, among our own data. */
  change: Readonly<Record<string, unknown>> | undefined
  /** Why the policies allow or refuse the call. */
  reasons: readonly string[] | undefined
}

/** What is known of any request. */
export interface Request {
  /** CloudTrail's eventSource of the API. */
  readonly eventSource: string
  readonly sourceAddress: string
  readonly userAgent: string | undefined
  /** As the Host header has it. */
  readonly host: string | undefined
  /** Of a request over TLS. */
  readonly tls: TlsDetails | undefined
}

/** CloudTrail's tlsDetails, in the names of OpenSSL. */
export interface TlsDetails {
  readonly tlsVersion: string
  readonly cipherSuite: string
}

/** The error of a call, as its API reported it to the caller. */
export interface RecordedError {
  readonly code: string
  readonly message: string
}

export interface Resource {
  readonly accountId: string
  readonly type?: string | undefined
  readonly ARN: string
}

/**
 * One audited call, in the shape of a CloudTrail record (CloudTrail User Guide, "CloudTrail record contents"), so that CloudTrail tools can
 * read it. It never holds plaintext, ciphertext, secrets or key material.
 */
export interface AuditRecord {
  readonly eventVersion: '1.11'
  readonly eventID: string
  readonly requestID: string
  /** When the call arrived: ISO 8601, UTC, seconds. */
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
  readonly resources?: readonly Resource[] | undefined
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
  /** The account for which the record is. */
  readonly recipientAccountId?: string | undefined
  /** Of a call that concerns several accounts: eventID of the caller's record. */
  readonly sharedEventID?: string | undefined
  readonly tlsDetails?: (TlsDetails & { readonly clientProvidedHostHeader: string | undefined }) | undefined
}
