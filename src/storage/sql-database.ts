import type { AccessKeyUse } from '../model/identities/access-key.ts'
import type { GrantIdentity } from '../model/keys/grant.ts'
import type { KeyUse } from '../model/keys/key-use.ts'
import type { EncryptionCount } from './encryption-counts.ts'
import type {
  Basis,
  Change,
  ClockReading,
  GrantPage,
  HeldRecord,
  JournalHead,
  JournalPositions,
  KeptRecord,
  Member,
  Noun,
  PageRequest,
  Records,
  RegisteredJournal,
  Run,
  Storage,
} from './storage.ts'
import type { Advance, ChangePosition } from './tables/changes.ts'
import type { CountedByOthers, CountsPage, Tracking } from './tables/encryption-counts.ts'
import type { LeaseOf, LeaseRequest } from './tables/gateways.ts'
import type { LoadedPage } from './tables/table.ts'

export interface Commit {
  /** Which commits. */
  readonly gateway: string
  /** Of the gateway, which must have a lease. Default: it needs none. */
  readonly run?: string
  /** See Changes. */
  readonly basis?: Basis | undefined
  /** Of the view of the gateway: of a database that went back in time, and has it no more, nothing is changed before it is read again. */
  readonly position?: ChangePosition
  /** Of the lease of the jobs, for a commit by a job of the fleet. */
  readonly fence?: number | undefined
  /** At their new revisions. */
  readonly changes: readonly Change[]
  /** The first is that of the event that caused the commit. */
  readonly records: readonly HeldRecord[]
}

/** Calls run one after another, in their order. */
export interface SqlDatabase {
  /** Throws OperatorError, as damage of the database may be detected only here, at the start. */
  load<N extends Noun>(noun: N, page: LoadedPage): Promise<readonly Records[N][]>
  /** ARNs. */
  listKeys(page: PageRequest): Promise<readonly string[]>
  listAliases(page: PageRequest & { readonly targetKeyArn?: string | undefined }): Promise<readonly string[]>
  listGrants(page: GrantPage): Promise<readonly GrantIdentity[]>
  /**
   * One durable transaction. Throws Conflict, having written nothing, or OutcomeUnknown. Resolves to the number of the commit, without gaps
   * from 1.
   */
  commit(commit: Commit): Promise<number>
  /** Throws OperatorError, too, as the following. */
  lastChange(): Promise<ChangePosition>
  /** As of one snapshot. Undefined if the log does not lead from the position to now: all must be loaded again. */
  changesAfter(position: ChangePosition): Promise<Advance | undefined>
  /** The events of these commits that the log does not have, though it goes back that far. */
  lostEvents(commits: readonly ChangePosition[]): Promise<readonly string[]>
  /** Forgets commits that are older, in milliseconds. */
  pruneChanges(age: number): Promise<void>
  /** Durable. Throws Conflict if another run of that gateway has a lease. */
  renewLease(request: LeaseRequest): Promise<void>
  /** Need not be durable. @param position of the last change in the view of the gateway */
  acknowledge(gateway: string, run: string, position: ChangePosition): Promise<void>
  /** In order of name. */
  members(): Promise<readonly Member[]>
  /** Resolves to false if it was another one. @param of default: any, as the gateway certainly runs no more */
  endLease(gateway: string, of?: LeaseOf): Promise<boolean>
  /**
   * Resolves to the fence of the lease of the jobs, if this gateway has it or gets it now, undefined if another one has it. Durable. A gateway
   * that no longer calls keeps the lease until its connection to the database ends.
   */
  takeJobLease(gateway: string): Promise<number | undefined>
  endJobLease(gateway: string): Promise<void>
  /** Of one that certainly runs no more: forgets it, and its lease. */
  removeGateway(gateway: string): Promise<void>
  /** The listener is called after others have committed or acknowledged something; not always, as such messages can be lost. */
  watch(listener: () => void): void
  /** Of all commits that have begun before. */
  heldRecords(): Promise<readonly KeptRecord[]>
  /** In one transaction with the positions of the journal. */
  removeRecords(eventIds: readonly string[], journal: string, positions: JournalPositions): Promise<void>
  /** One transaction. See Storage. */
  takeOver(eventIds: readonly string[], position: string): Promise<readonly string[]>
  takenFrom(journal: string): Promise<readonly string[]>
  listJournals(): Promise<readonly RegisteredJournal[]>
  /** Throws Conflict if another gateway has the journal, and a lease. */
  registerJournal(id: string, gateway: string): Promise<void>
  writeJournalHead(id: string, head: JournalHead): Promise<void>
  writeRun(id: string, run: Run): Promise<void>
  readAccessKeyUse(id: string): Promise<AccessKeyUse | undefined>
  /** One transaction. */
  writeAccessKeyUses(uses: readonly AccessKeyUse[]): Promise<void>
  readKeyUse(keyArn: string): Promise<KeyUse | undefined>
  /** One transaction. */
  writeKeyUses(uses: readonly KeyUse[]): Promise<void>
  /** One transaction. Throws OperatorError, as it is at the start. */
  beginTracking(tracking: Tracking): Promise<CountedByOthers & { readonly startedAt: number }>
  loadEncryptionCounts(page: CountsPage): Promise<readonly EncryptionCount[]>
  /** One durable transaction. */
  addEncryptionCounts(
    gateway: string,
    added: readonly EncryptionCount[],
  ): Promise<CountedByOthers & { readonly counts: readonly EncryptionCount[] }>
  endTracking(gateway: string): Promise<void>
  readClock(): ReturnType<Storage['clock']['read']>
  /** @param fence as of a commit. Throws Conflict */
  writeClock(reading: ClockReading, fence: number | undefined): Promise<void>
  /** Rejects if the database cannot be read and written right now. */
  check(): Promise<void>
  close(): Promise<void>
}
