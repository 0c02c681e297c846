import type { Audit } from './audit/audit.ts'
import type { SignedRequest } from './authentication/canonical-request.ts'
import type { AccessRequest, Decision } from './authorization/authorize.ts'
import type { ProposedKeyPolicy } from './authorization/key-policy.ts'
import type { Hsm } from './hsm/hsm.ts'
import type { Log } from './log.ts'
import type { Caller } from './model/identities/caller.ts'
import type { Outbox } from './outbox.ts'
import type { Storage } from './storage/storage.ts'

/** The contracts by which operations, jobs and the path reach the rest of the house. Types only. */
export type { Audit, Entry } from './audit/audit.ts'
export type { Hsm, HsmKey, HsmObject, KeyInspection } from './hsm/hsm.ts'
export type { Log } from './log.ts'
export type { Changes, ClockReading, Storage } from './storage/storage.ts'

/** What an operation is given besides its input. */
export interface Services {
  readonly storage: Storage
  readonly hsms: Hsms
  /** Milliseconds since the epoch, as the machine has them: for dates, not for durations. */
  readonly clock: () => number
  /** Throws when a key policy may not be put on a key: see authorization/key-policy.ts. */
  readonly admitKeyPolicy: (policy: ProposedKeyPolicy) => void
}

/** What the path is given: the services of operations, and what is its own business alone. */
export interface PathServices extends Services {
  readonly audit: Audit
  readonly outbox: Pick<Outbox, 'ready' | 'commit'>
  /** Rejects with a Failure when the caller cannot be identified. @param service name in the credential scope */
  readonly authenticate: (request: SignedRequest, service: string) => Promise<Caller>
  readonly authorize: (request: AccessRequest) => Decision
  readonly metrics: RequestMetrics
  readonly log: Log
}

/** What a job is given. */
export interface JobServices extends Pick<Services, 'storage' | 'hsms'> {
  /** Milliseconds of the monotonic clock: for durations, which the machine's clock does not measure. */
  readonly elapsed: () => number
  /** The time of day, for what cannot be undone: undefined while it is not to be trusted. */
  readonly steadyClock: { now(): Promise<number | undefined> }
  readonly audit: Audit
  readonly outbox: Pick<Outbox, 'record' | 'settle'>
  readonly metrics: JobMetrics
  readonly health: Health
  readonly log: Log
}

/** What jobs/steady-clock.ts is given. */
export interface ClockServices extends Pick<Services, 'storage' | 'clock'>, Pick<JobServices, 'elapsed'> {
  readonly metrics: Pick<JobMetrics, 'clockTrusted'>
  readonly health: Pick<Health, 'clock'>
  readonly log: Log
}

/** What jobs count. */
export interface JobMetrics {
  clockTrusted(trusted: boolean): void
  orphans(hsm: string, count: number): void
  /** @param counts keys that are not in custody, by what is wrong with them */
  custodyFaults(hsm: string, counts: Readonly<Record<string, number>>): void
}

/** What readiness is told. */
export interface Health {
  clock(trusted: boolean): void
  /** How many keys of callers, and of the gateway itself, are not in custody on an HSM. */
  custody(hsm: string, faults: { readonly keys: number; readonly systemKeys: number }): void
}

/** The HSMs of the configuration. */
export interface Hsms {
  /** The HSM in which a region creates its keys. */
  ofRegion(region: string): Hsm
  /** By its name in the configuration. Throws KeyUnavailable when no such HSM is configured any more. */
  named(name: string): Hsm
  readonly all: readonly Hsm[]
  /** The same HSMs for one caller, who gets a fair share of each. */
  for(caller: string): Hsms
}

/** Called when a request starts; what it returns is called when it ends. */
export interface RequestMetrics {
  started(): (operation: string | undefined, outcome: string) => void
}

/** What the listener of the API counts. */
export interface ConnectionMetrics {
  connectionOpened(): void
  connectionClosed(): void
  /** @param reason why the gateway closed it before the caller did */
  connectionCut(reason: 'limit' | 'not_read' | 'not_closed' | 'body_not_sent' | 'shutdown'): void
}
