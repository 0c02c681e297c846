import { Failure } from '../errors.ts'
import type { FurtherEvent } from '../model/further-event.ts'
import type { AccessKey, AccessKeyUse } from '../model/identities/access-key.ts'
import type { Account } from '../model/identities/account.ts'
import type { EffectivePolicies } from '../model/identities/effective-policies.ts'
import type { Group } from '../model/identities/group.ts'
import type { OidcProvider } from '../model/identities/oidc-provider.ts'
import type { ManagedPolicy } from '../model/identities/policy.ts'
import type { Principal } from '../model/identities/principal.ts'
import type { Principals } from '../model/identities/principals.ts'
import type { Service } from '../model/identities/service.ts'
import type { Alias } from '../model/keys/alias.ts'
import type { Claim, CustomKeyStore } from '../model/keys/custom-key-store.ts'
import type { Grant, GrantConstraints, GrantOperation, GrantPrincipal } from '../model/keys/grant.ts'
import type { Destruction, Key, KeyObject, SpareKey, SystemKey, WrappingKey } from '../model/keys/key.ts'
import type { KeyUse } from '../model/keys/key-use.ts'
import type { XksKey } from '../model/xks/external-key.ts'
import type { XksPrefix } from '../model/xks/prefix.ts'
import type { EncryptionCounts } from './encryption-counts.ts'

/** All records, by noun. Each has the revision at which it was read; 0 means new. */
export interface Records {
  readonly keys: Key
  readonly aliases: Alias
  readonly grants: Grant
  readonly accounts: Account
  readonly managedPolicies: ManagedPolicy
  readonly groups: Group
  readonly oidcProviders: OidcProvider
  readonly principals: Principal
  readonly services: Service
  readonly accessKeys: AccessKey
  readonly systemKeys: SystemKey
  readonly spareKeys: SpareKey
  readonly wrappingKeys: WrappingKey
  readonly customKeyStores: CustomKeyStore
  readonly destructions: Destruction
  readonly xksPrefixes: XksPrefix
  readonly xksKeys: XksKey
}
export type Noun = keyof Records

export type Change = {
  [N in Noun]: { readonly noun: N; readonly action: 'put' | 'remove'; readonly record: Records[N] }
}[Noun]

/** What a request saw when it was decided. */
export interface Basis {
  /** Of the last change that it saw. */
  readonly number: number
  /** Keys and accounts by which it was decided: see fleet/scopes.ts. */
  readonly scopes: readonly string[]
}

/** The changes of one request. Operations collect them; the pipeline commits all of them or none. */
export class Changes {
  readonly list: Change[] = []
  readonly events: FurtherEvent[] = []
  /** Created on HSMs for these changes: if those are certainly not committed, no record refers to them. */
  readonly created: KeyObject[] = []
  /** What the request saw when it was decided. Default: it was decided by the records that it changes. */
  basis: Basis | undefined
  /** Of the lease of the jobs, for what a job of the fleet changes: committed only while that is the current one. */
  fence?: number

  /** Creates the record (revision 0) or replaces it. */
  put<N extends Noun>(noun: N, record: Records[N]): void {
    this.list.push({ noun, action: 'put', record } as Change)
  }

  remove<N extends Noun>(noun: N, record: Records[N]): void {
    this.list.push({ noun, action: 'remove', record } as Change)
  }
}

/**
 * Thrown by commit if a record has another revision than when it was read, a new one already exists, or a change since then may forbid this
 * one: nothing was written.
 */
export class Conflict extends Error {
  override readonly name = 'Conflict'
}

/** The gateway has no lease: others need not wait for it, so it changes nothing, and serves nothing. */
export class LeaseLost extends Failure {
  override readonly name = 'LeaseLost'

  constructor() {
    super(
      'DependencyTimeout',
      'The gateway has lost its lease and catches up with the others. Nothing was changed; retry the request.',
    )
  }
}

/** Thrown by commit if it may or may not have been done: the connection was lost, and the database did not come back. The outbox finds it out later. */
export class OutcomeUnknown extends Failure {
  override readonly name = 'OutcomeUnknown'

  constructor(options?: ErrorOptions) {
    super('DependencyTimeout', 'The database was lost during the change, which may have been made.', options)
  }
}

/** The audit record of a commit, kept in storage until the journal has it. */
export interface HeldRecord {
  readonly eventId: string
  /** End of the journal before the commit. */
  readonly position: string
  /** JSON. */
  readonly record: string
}

/** The same, as it is read. */
export interface KeptRecord extends HeldRecord {
  /** Of the commit. Only of the event that caused it, and not of a former version. */
  readonly number?: number
  /** UUID of the journal that it was held for, if it was taken over from that one. */
  readonly origin?: string
}

/** Positions of the journal at one time. */
export interface JournalPositions {
  /** Every change that the journal has behind it is in the outbox; one that is not was made after this storage was copied. */
  readonly end: string
  /** No event was open before it: see outbox.ts. */
  readonly earliest: string
}

/** A journal of a gateway, as storage knows it. */
export interface RegisteredJournal {
  /** UUID. */
  readonly id: string
  /** Name of the gateway that has it now, or had it. Undefined: that of a former version, whose gateway has not started since. */
  readonly gateway: string | undefined
  /** Whether that gateway has a lease. */
  readonly isLive: boolean
  /** Milliseconds since the epoch, by the clock of the database; 0 for that of a former version. */
  readonly registeredAt: number
  readonly positions: JournalPositions | undefined
  /** The last block that a checkpoint of the gateway signs. */
  readonly head: JournalHead | undefined
  /** The current or last run of its gateway. */
  readonly run: Run | undefined
}

/** A block of a journal: see Head in audit/format.ts. */
export interface JournalHead {
  readonly segment: number
  readonly block: number
  readonly record: number
  readonly hash: string
}

/** The last reading of the wall clock, and how it agreed with the monotonic clock: see jobs/steady-clock.ts. */
export interface ClockReading {
  /** Milliseconds since the epoch. */
  readonly wall: number
  readonly trusted: boolean
  /** Milliseconds since the last verdict during which a gateway monitored the clock, */
  readonly observed: number
  /** by which it drifted meanwhile, */
  readonly drift: number
  /** and during which no gateway ran. */
  readonly gap: number
  /** By the clock of a database that several gateways share. */
  readonly database?: number | undefined
}

/** A run of the gateway. */
export interface Run {
  /** Of Strongroom. */
  readonly version: string
  /** See config/settings.ts. */
  readonly settings: Readonly<Record<string, string>>
  /** False while it runs, and for one that was killed. */
  readonly stopped: boolean
}

/** A position in a listing and how many records to read from there. */
export interface PageRequest {
  readonly account: string
  readonly region: string
  /** Sort key of the last record of the previous page. */
  readonly after?: string | undefined
  readonly limit: number
}

/** A position in a listing of grants, in order of grant id. */
export type GrantPage = Pick<PageRequest, 'after' | 'limit'> &
  (
    | { readonly keyArn: string; readonly granteeArn?: string | undefined }
    /** @param retiringId of the principal: grants to a former one of the same name are left out */
    | { readonly region: string; readonly retiringArn: string; readonly retiringId: string | undefined }
  )

/** What a grant must fit to be found. */
export interface GrantSearch {
  readonly keyArn: string
  readonly grantee: GrantPrincipal
  readonly operation: GrantOperation
  /** Of the request: see isWithin in model/keys/grant.ts. Undefined: one of the first grants is found, whatever its constraints. */
  readonly constraints: GrantConstraints | undefined
  /** What else it must fit. */
  readonly accept?: ((grant: Grant) => boolean) | undefined
}

/** A gateway that has, or had, a lease. */
export interface Member {
  readonly gateway: string
  readonly run: string
  readonly applied: number
  /** Changes that it does not show yet. */
  readonly changesBehind: number
  /** Milliseconds since the first of them. */
  readonly behindFor: number
  /** Milliseconds since the epoch. */
  readonly joinedAt: number
  /** False once it gave its lease back, or others have waited for the end of it. */
  readonly holdsLease: boolean
  /** Milliseconds for which it was granted. */
  readonly lease: number
  /** Of the run: another one after each renewal. */
  readonly renewal: number
  /** By the clock of the database: milliseconds since the epoch. */
  readonly leaseUntil: number
  /** For people, as that clock may be wrong: milliseconds; 0 without a lease. */
  readonly leaseLeft: number
  /** Whether it has the lease of the jobs, too. */
  readonly runsJobs: boolean
  /** JSON. */
  readonly state: string
}

/** This gateway among those with the same storage. */
export interface FleetView {
  readonly gateway: string
  /** Whether no other gateway can have the database. */
  readonly isAlone: boolean
  /** False without a lease: what it shows may be outdated. */
  readonly mayServe: boolean
  /** Milliseconds for which it may serve if it cannot renew its lease; infinite if it is the only gateway. */
  readonly leaseLeft: number
  /** Number of the last change in the view. */
  readonly applied: number
  /** Milliseconds since the view was known to show every change. */
  readonly lag: number
  /**
   * Undefined if every gateway that may serve shows what this one shows of some keys, else resolves to true when it does.
   *
   * @param keys ARNs. Default: all that there is
   * @param answerBy monotonic milliseconds, at which it resolves to false
   */
  settled(keys?: readonly string[], answerBy?: number): Promise<boolean> | undefined
  /** In order of name. */
  members(): Promise<readonly Member[]>
  /**
   * Forgets a gateway that runs no more, and its lease. Resolves to false, having done nothing, if it renews that: it runs. This takes seconds
   * while it has a lease.
   */
  remove(gateway: string): Promise<boolean>
  /** Forgets what was committed longer ago, in milliseconds: only the log of it. */
  prune(age: number): Promise<void>
}

/** Look-ups are synchronous, from an in-memory view that commit keeps current. */
export interface Storage {
  readonly keys: {
    find(arn: string): Key | undefined
    /** The key of that region that has the material. */
    findByMaterial(material: string, region: string): Key | undefined
    /** Keys that have the object, on whatever HSM, in no order: several if it is that of related multi-Region keys. */
    findByObject(object: string): readonly Key[]
    /** The related keys of a multi-Region key in other regions, in no order. None of a single-Region key. */
    related(key: Pick<Key, 'id' | 'arn' | 'region'>): readonly Key[]
    /** In order of key id. */
    list(page: PageRequest): Promise<readonly Key[]>
    /** Keys with imported material that expires. */
    expiring(): readonly Key[]
    /** Keys pending deletion whose date is not after `now` (milliseconds). */
    dueForDeletion(now: number): readonly Key[]
    /** Keys to be rotated automatically, in the order of days: see rotationDate in model/keys/rotation.ts. */
    dueForRotation(now: number): readonly Key[]
    /** In whatever region. */
    ofAccount(account: string): readonly Key[]
    all(): readonly Key[]
    /** In no order. @param store id of a custom key store */
    inStore(store: string): readonly Key[]
    /** Keys with an object on the HSM. */
    onHsm(hsm: string): readonly Key[]
    /**
     * CKA_IDs of the objects to which a record refers, including those of system keys, spare keys and wrapping keys, whatever the HSM: two
     * HSMs of the configuration may have the same keys.
     */
    objects(): ReadonlySet<string>
    /** Written by writeUses. */
    recordUse(use: KeyUse): void
    lastUse(arn: string): Promise<KeyUse | undefined>
  }
  readonly aliases: {
    find(arn: string): Alias | undefined
    /** In order of name, of one key when `targetKeyArn` is given. */
    list(page: PageRequest & { readonly targetKeyArn?: string | undefined }): Promise<readonly Alias[]>
    ofKey(keyArn: string): readonly Alias[]
    /** In whatever region. @param name with its `alias/` prefix */
    named(account: string, name: string): readonly Alias[]
  }
  readonly grants: {
    find(keyArn: string, id: string): Grant | undefined
    /** The grant that was created by the same request, with a name. */
    findByFingerprint(keyArn: string, fingerprint: string): Grant | undefined
    /** Of the key. */
    count(keyArn: string): number
    /** One that fits, in time that does not depend on the number of grants. */
    search(search: GrantSearch): Grant | undefined
    /** Of a key, or to be retired by a principal in a region. */
    list(page: GrantPage): Promise<readonly Grant[]>
  }
  readonly accounts: { find(id: string): Account | undefined; all(): readonly Account[] }
  readonly managedPolicies: {
    find(arn: string): ManagedPolicy | undefined
    /** Without regard to case. */
    named(account: string, name: string): ManagedPolicy | undefined
    /** In no order. */
    ofAccount(account: string): readonly ManagedPolicy[]
  }
  readonly groups: {
    /** Without regard to case. */
    named(account: string, name: string): Group | undefined
    /** In no order. */
    ofAccount(account: string): readonly Group[]
  }
  readonly oidcProviders: {
    find(arn: string): OidcProvider | undefined
    /** In no order. */
    ofAccount(account: string): readonly OidcProvider[]
  }
  readonly principals: Principals & {
    /** The user, or role, that has the name, without regard to case: no other may have it. */
    holding(account: string, type: Principal['type'], name: string): Principal | undefined
    /** In no order. */
    ofAccount(account: string): readonly Principal[]
    policiesOf(principal: Principal): EffectivePolicies
  }
  /** Grows with every change of principals, groups, managed policies and services: what was derived from them is valid as long as it does not. */
  readonly identitiesVersion: number
  readonly services: {
    find(name: string): Service | undefined
    /** The service that a user calls as. */
    ofUser(arn: string): Service | undefined
    all(): readonly Service[]
  }
  readonly accessKeys: {
    find(id: string): AccessKey | undefined
    ofPrincipal(arn: string): readonly AccessKey[]
    count(): number
    /** Written by writeUses. */
    recordUse(use: AccessKeyUse): void
    /** @param id of an access key, or the name of an XKS credential: see credentialName in model/xks/prefix.ts */
    lastUse(id: string): Promise<AccessKeyUse | undefined>
  }
  readonly systemKeys: { find(hsm: string, purpose: SystemKey['purpose']): SystemKey | undefined }
  readonly spareKeys: {
    /** By the id of its object. */
    find(id: string): SpareKey | undefined
    onHsm(hsm: string): readonly SpareKey[]
  }
  readonly wrappingKeys: {
    /** By the id of its object. */
    withObject(id: string): WrappingKey | undefined
    ofDay(key: Pick<WrappingKey, 'keyArn' | 'spec' | 'day'>): WrappingKey | undefined
    ofKey(keyArn: string): readonly WrappingKey[]
    all(): readonly WrappingKey[]
  }
  readonly customKeyStores: {
    find(id: string): CustomKeyStore | undefined
    /** The one in which a key is. */
    ofKey(key: Pick<Key, 'customKeyStoreId'>): CustomKeyStore | undefined
    /** The one that has what only one may have: see claimsOf. */
    holding(claim: Claim): CustomKeyStore | undefined
    /** In order of id. */
    ofRegion(account: string, region: string): readonly CustomKeyStore[]
    all(): readonly CustomKeyStore[]
  }
  readonly destructions: {
    find(hsm: string, object: string): Destruction | undefined
    list(): readonly Destruction[]
  }
  readonly xksPrefixes: { find(name: string): XksPrefix | undefined; all(): readonly XksPrefix[] }
  readonly xksKeys: {
    find(prefix: string, id: string): XksKey | undefined
    /** In no order. */
    ofPrefix(prefix: string): readonly XksKey[]
  }
  readonly outbox: {
    /** Of all gateways. */
    list(): Promise<readonly KeptRecord[]>
    /** The journal has the records of these events before its end. @param journal UUID */
    remove(eventIds: readonly string[], journal: string, positions: JournalPositions): Promise<void>
    /**
     * Moves records of other journals to one of this gateway, in one transaction, and remembers that. Resolves to the event IDs of those that
     * were still there.
     *
     * @param position end of that journal
     */
    takeOver(eventIds: readonly string[], position: string): Promise<readonly string[]>
    /** Event IDs of records that were held for a journal, and that others have taken over from it. */
    takenFrom(journal: string): Promise<readonly string[]>
  }
  readonly journals: {
    /** All that there ever were, in order of registration. */
    list(): Promise<readonly RegisteredJournal[]>
    /** Names this gateway as the one that has the journal. Rejects with Conflict if another one has it, and a lease. @param id UUID */
    register(id: string): Promise<void>
    writeHead(id: string, head: JournalHead): Promise<void>
    writeRun(id: string, run: Run): Promise<void>
  }
  /** Number of the last commit of any gateway; 0 before the first. */
  lastChange(): Promise<number>
  readonly clock: {
    /** With what the clock of a shared database says now. */
    read(): Promise<{ readonly reading: ClockReading | undefined; readonly database: number | undefined }>
    /** @param fence as of Changes. Rejects with Conflict */
    write(reading: ClockReading, fence?: number): Promise<void>
  }
  /** Which gateway runs the jobs of the fleet. */
  readonly jobLease: {
    /** Resolves to its fence if this gateway has it, or gets it now; undefined if another gateway has it. */
    take(): Promise<number | undefined>
    end(): Promise<void>
  }
  /** Encryptions under each key material. */
  readonly encryptions: Pick<EncryptionCounts, 'made' | 'count'>
  /** When uses of keys began to be recorded: milliseconds since the epoch. */
  readonly trackingStart: number
  /**
   * Writes uses and encryption counts that have changed; close does so, too. Without an audit record, as the clock. If a write fails,
   * rejects and keeps them for the next time.
   */
  writeUses(): Promise<void>
  /**
   * Writes all changes, and the audit records of their events, in one durable transaction, then shows them in the view. Throws Conflict,
   * having written nothing, or OutcomeUnknown. Resolves to the number of the commit, without gaps from 1; undefined if there are no changes. Called by the
   * outbox only, as every change has a record.
   */
  commit(changes: Changes, ...records: readonly HeldRecord[]): Promise<number | undefined>
  readonly fleet: FleetView
  /** True from a failed write until the next one that succeeds. */
  readonly failing: boolean
  /** Rejects if storage cannot be read and written right now. */
  check(): Promise<void>
  close(): Promise<void>
}
