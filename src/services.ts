import type { Audit } from './audit/audit.ts'
import type { Index } from './audit/index/index-file.ts'
import type { JournalIndex } from './audit/index/journal-index.ts'
import type { Days } from './audit/index/usage-tables.ts'
import type { SignedRequest } from './authentication/canonical-request.ts'
import type { Place } from './authentication/web-identity/web-identities.ts'
import type { Reason } from './authorization/explain.ts'
import type { ProposedKeyPolicy } from './authorization/key-policy.ts'
import type { AccessRequest, Decision, Policies } from './authorization/request.ts'
import type { AccessDenied } from './errors.ts'
import type { Hsm, Hsms } from './hsm/hsm.ts'
import type { Log } from './log.ts'
import type { Caller, WebIdentityCaller } from './model/identities/caller.ts'
import type { ExternalCiphertext } from './model/keys/ciphertext.ts'
import type { ConnectionFailure, ConnectionState, CustomKeyStore } from './model/keys/custom-key-store.ts'
import type { Key } from './model/keys/key.ts'
import type { NewServiceKey } from './model/keys/service-keys.ts'
import type { Calls } from './model/usage/calls.ts'
import type { Prices } from './model/usage/prices.ts'
import type { Outbox } from './outbox.ts'
import type { Storage } from './storage/storage.ts'

/** The contracts through which operations, jobs and the pipeline use everything else. Types only. */
export type { Audit } from './audit/audit.ts'
export type { Entry } from './audit/entry.ts'
export type { Snapshot } from './audit/index/journal-index.ts'
export type { EventPosition } from './audit/index/latest-events.ts'
export type { FoundEvent, Search as EventSearch } from './audit/index/search.ts'
export type { ConditionValues, Policies, ResourcePolicy } from './authorization/request.ts'
export type { HeldKey, Hsm, HsmKey, HsmObject, HsmStatus, Hsms, KeyInspection, WrappedMaterial } from './hsm/hsm.ts'
export type { Log } from './log.ts'
export type { Changes, ClockReading, Storage } from './storage/storage.ts'

/** Emulator mode: see the configuration. */
export interface Emulator {
  /** RSA keys that each HSM has in advance, for each usage. */
  readonly spareRsaKeys: number
}

/** What an operation gets besides its input. */
export interface Services {
  readonly storage: Storage
  readonly hsms: Hsms
  /** Milliseconds since the epoch, from the wall clock: for dates, not for durations. */
  readonly clock: () => number
  /**
   * Throws when a key policy may not be put on a key: see authorization/key-policy.ts. Returns unique ids of the principals that it names,
   * by ARN.
   */
  readonly checkKeyPolicy: (policy: ProposedKeyPolicy) => Readonly<Record<string, string>>
  /** Rotations on demand that a key may have in total. */
  readonly maxOnDemandRotations: number
  readonly metering: Metering
  /** Undefined outside emulator mode. */
  readonly emulator?: Emulator | undefined
  /** Undefined while services are off. */
  readonly serviceKeys?: ServiceKeys | undefined
  readonly keyStores: KeyStores
  readonly externalKeyStores: ExternalKeyStores
  /** What is on record. */
  readonly events: Pick<JournalIndex, 'find' | 'snapshot'>
}

/** Custom key stores of type AWS_CLOUDHSM, and their HSMs. */
export interface KeyStores {
  /** Whether their keys can have every key spec, be rotated, and get imported key material: not on AWS. */
  readonly allKeySpecs: boolean
  /** By id of the store; undefined if they are sealed and kept in storage. */
  readonly passwords?: Map<string, Uint8Array> | undefined
  /** The name of the HSM of a cluster. */
  hsmOf(clusterId: string): string | undefined
  /**
   * Connects an HSM. Rejects with a ConnectionFailure.
   *
   * @param password in UTF-8, wiped; asked for whenever a worker of the HSM starts
   * @param signal ends the attempt
   */
  connect(hsm: string, password: () => Promise<Uint8Array>, signal: AbortSignal): Promise<Hsm>
  /** Finishes the calls in flight. Does nothing if it is not connected. */
  disconnect(hsm: string): Promise<void>
  /** Why the proof that an HSM works has failed. */
  failure(thrown: unknown): ConnectionFailure
}

/** Connections to the proxies of custom key stores of type EXTERNAL_KEY_STORE. */
export interface ExternalKeyStores {
  /**
   * Connects to its proxy, and watches that until `disconnect`. Rejects with a ConnectionFailure, and has then left nothing behind.
   *
   * @param signal aborts when the store is disconnected meanwhile, or takes too long
   */
  connect(store: CustomKeyStore, signal: AbortSignal): Promise<void>
  /** Finishes the calls in flight, and ends the connections. Does nothing if it is not connected. */
  disconnect(store: Pick<CustomKeyStore, 'id'>): Promise<void>
  /** The external keys, for one call. */
  for(call: ProxiedCall): ExternalKeys
  /** Asks all connected proxies for their health. Never rejects: metrics and log tell what it finds. */
  poll(): Promise<void>
}

/** What a proxy is told of the call that it works for. */
export interface ProxiedCall {
  readonly requestId: string
  /** Wire name of the operation. */
  readonly operation: string
  readonly caller: Caller
}

/** Keys in external key managers. A proxy that does not answer as it should is tried once more, and makes nobody else wait. */
export interface ExternalKeys {
  /**
   * Asks the proxy of a new store, or of one with new settings, for its health. Rejects with a Failure whose code is one of the API's Xks*
   * exceptions.
   *
   * @param store not committed yet
   */
  checkStore(store: CustomKeyStore): Promise<void>
  /**
   * Whether the key exists, and can be that of a KMS key. Rejects with XksKeyNotFound or XksKeyInvalidConfiguration, with
   * CustomKeyStoreInvalidState if the proxy does not answer as it should.
   */
  check(store: CustomKeyStore, xksKeyId: string): Promise<void>
  /** Rejects with InvalidState, and AWS's text for the reason. @param aad up to 8192 bytes */
  encrypt(key: Key, plaintext: Uint8Array, aad: Uint8Array): Promise<ExternalCiphertext>
  /** The same; InvalidState is the error of a ciphertext as well, as on AWS. */
  decrypt(key: Key, ciphertext: ExternalCiphertext, aad: Uint8Array): Promise<Uint8Array>
}

/** A finished call to an XKS proxy, repetition included. */
export interface XksProxyCall {
  /** Id of the custom key store. */
  readonly store: string
  readonly operation: 'health' | 'metadata' | 'encrypt' | 'decrypt'
  /** `success`, or why it failed: see xks-proxies/proxy-failure.ts; `tooManyCalls` or `circuitOpen` if it was not sent. */
  readonly outcome: string
  readonly seconds: number
}

export interface XksProxyState {
  /** Id of the custom key store. */
  readonly store: string
  readonly breaker: 'closed' | 'open' | 'half_open'
  /** Health of the external key managers, as the proxy said last. */
  readonly managers: readonly ('ACTIVE' | 'DEGRADED' | 'UNAVAILABLE')[]
  /** When the certificate of the proxy expires: milliseconds since the epoch. */
  readonly certificateExpiry?: number | undefined
}

export interface XksProxyMetrics {
  xksProxyCall(call: XksProxyCall): void
  /** Forgets the calls of a store: callers who create and delete stores must not use up memory. */
  xksProxyClosed(store: string): void
}

export interface Metering {
  readonly prices: Prices
  /** All that is on record now. Rejects if the index of the audit journal has a fault. */
  usage(): Promise<UsageOnRecord>
}

export interface UsageOnRecord extends Pick<Index, 'firstDay' | 'deletedKeys'> {
  /** Added up for each account, key, operation and outcome; some at a time. */
  calls(days: Days): AsyncIterable<readonly Calls[]>
}

/** AWS managed and AWS owned keys: see model/keys/service-keys.ts. */
export interface ServiceKeys {
  /** In emulator mode: a predefined alias of AWS has a key for any caller, who may be a service of another emulator. */
  readonly forAnyCaller: boolean
  /** Resolves to the key that the alias names then, which another request may have created. */
  create(key: NewServiceKey, caller: Caller): Promise<Key>
}

/** The services of the pipeline: those of operations, and its own. */
export interface PathServices extends Services {
  readonly audit: Audit
  readonly outbox: Pick<Outbox, 'audited' | 'begin' | 'commit' | 'fail'>
  /**
   * Rejects with a Failure if the caller cannot be authenticated. Resolves to undefined for a request without a signature to an API that has
   * operations for it.
   */
  readonly authenticate: (request: SignedRequest, api: AuthenticatedApi) => Promise<Caller | undefined>
  /** Verifies a token of an identity provider of the account: see authentication/web-identity/. */
  readonly webIdentity: (token: string, place: Place) => Promise<WebIdentityCaller>
  readonly authorize: (request: AccessRequest, policies: Policies) => Decision
  /** Why a request is decided as it is. */
  readonly explain: (request: AccessRequest, policies: Policies) => readonly Reason[]
  /** Adds an encoded message to a refusal, if callers shall have one. Never rejects. */
  readonly encodeRefusal?: ((refusal: AccessDenied, caller: Caller) => Promise<AccessDenied>) | undefined
  readonly metrics: RequestMetrics
  readonly log: Log
}

/** What authentication needs to know of an API: see apis/api.ts. */
export interface AuthenticatedApi {
  readonly service: string
  readonly hasUnsignedOperations?: boolean | undefined
}

/** The services of a job. */
export interface JobServices extends Pick<Services, 'storage' | 'hsms' | 'emulator' | 'externalKeyStores'> {
  /** Milliseconds of the monotonic clock: for durations. */
  readonly elapsed: () => number
  /** The time of day, for irreversible actions: undefined while the clock is not stable. */
  readonly steadyClock: { now(): Promise<number | undefined> }
  /** How much of the time automatic rotations may take: above 0, up to 1. */
  readonly rotationTimeShare: number
  readonly audit: Audit
  readonly outbox: Pick<Outbox, 'ready' | 'record' | 'act' | 'settle' | 'abandoned' | 'takeOver'>
  readonly checkpoints: Checkpoints
  /** Starts what the states of custom key stores ask for: see vault/key-store-connections.ts. */
  readonly keyStoreConnections: { follow(): void }
  readonly metrics: JobMetrics
  readonly health: Health
  readonly log: Log
}

/** The services of jobs/steady-clock.ts. */
export interface ClockServices extends Pick<Services, 'storage' | 'clock'>, Pick<JobServices, 'elapsed'> {
  readonly metrics: Pick<JobMetrics, 'clockStable'>
  readonly health: Pick<Health, 'clock'>
  /** A gateway that has lost it leaves the stored reading alone. Absent: there are no others. */
  readonly jobLease?: { readonly fence: number | undefined }
  readonly log: Log
}

/** Signatures of the audit journal. */
export interface Checkpoints {
  /** Milliseconds since the first block was written that no checkpoint has signed yet; 0 if there is none. */
  readonly unsignedFor: number
  /** Of the last checkpoint of this run: milliseconds since the epoch. */
  readonly lastTime: number | undefined
  /** Writes checkpoints if a segment has ended, the key is new, or blocks have been unsigned for long enough. Rejects if it cannot. */
  signDue(): Promise<void>
  /** Writes checkpoints if anything is unsigned. */
  sign(): Promise<void>
}

/** Metrics of jobs. */
export interface JobMetrics {
  clockStable(trusted: boolean): void
  orphans(hsm: string, count: number): void
  /** @param counts keys by custody fault */
  custodyFaults(hsm: string, counts: Readonly<Record<string, number>>): void
  checkpoints(found: Pick<Checkpoints, 'unsignedFor' | 'lastTime'>): void
  /** How many custom key stores are in each state. */
  customKeyStores(counts: Readonly<Record<ConnectionState, number>>): void
  /** How many keys are due for automatic rotation. */
  dueForRotation(count: number): void
  /** @param highest encryptions under one key, of KMS keys and of each of the gateway's own */
  encryptions(hsm: string, highest: Readonly<Record<'kms_key' | 'seal' | 'canary', number>>): void
}

/** Metrics of the audit journal. */
export interface JournalMetrics {
  /** A block is written; the returned function is called when it is durable, or has failed. */
  auditWriteStarted(): () => void
  /** @param end of the journal: its segment and the bytes of that, and how many records are new */
  auditWritten(end: { readonly segment: number; readonly bytes: number; readonly records: number }): void
  auditFailing(failing: boolean): void
  auditDamaged(): void
  auditRotationFailing(failing: boolean): void
}

/** What is reported to readiness. */
export interface Health {
  clock(trusted: boolean): void
  /** How many KMS keys, and keys of the gateway itself, have a custody fault on an HSM. */
  custody(hsm: string, faults: { readonly keys: number; readonly systemKeys: number }): void
}

/** Called when a request starts; the returned function is called when it ends. */
export interface RequestMetrics {
  /** @param api its service name */
  started(api: string): (operation: string | undefined, outcome: string) => void
  /** @param state KMS key state */
  keyUseRefused(state: string): void
  /** Called when an answer starts to wait for other gateways; the returned function is called when it has waited. */
  settling(): () => void
}

/** Metrics of the API's listener. */
export interface ConnectionMetrics {
  connectionOpened(): void
  connectionClosed(): void
  /** @param reason why the gateway closed it before the caller did */
  connectionAborted(reason: 'limit' | 'not_read' | 'not_closed' | 'body_not_sent' | 'shutdown'): void
}
