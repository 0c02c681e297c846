/** What an operation of any API is, to the path. */
import type { Caller } from '../model/identities/caller.ts'
import type { Ability } from '../model/keys/ability.ts'
import type { Changes, Services, Storage } from '../services.ts'

/** One thing that must be allowed before an operation runs. */
export interface Permission {
  /** The operation's name, or another action of its API that it implies; without the prefix of the API. */
  readonly action: string
  /** ARN acted on, `*` for operations that act on no resource. */
  readonly resource: string
  /** What a denial names instead. */
  readonly named?: string | undefined
  /** Account that owns the resource. */
  readonly account: string
  /** Key policy of the resource. Absent: only the caller's own policies decide. */
  readonly resourcePolicy?: string | undefined
  /** The text of a denial, where AWS has another than usual. */
  readonly denial?: string
}

/** What one HSM is to do for a request. */
export interface HsmUse {
  /** Its name in the configuration. */
  readonly hsm: string
  readonly abilities: readonly Ability[]
}

/** What one request acts on, once found. */
export interface Target {
  readonly permissions: readonly Permission[]
  /** ARNs for the audit record: of keys first, then of aliases. */
  readonly resources: readonly string[]
  /** Throws when the state or usage does not fit. Runs only after the caller was allowed, so that refusals leak no state. */
  check(): void
  /** Known once the check has passed. The path refuses what an HSM is known not to do, and so does a dry run. */
  readonly hsmUses?: readonly HsmUse[]
}

/** What a target is found by, besides the input. */
export interface Search {
  readonly caller: Caller
  readonly storage: Storage
  /** Its name: the action that the caller must be allowed. */
  readonly operation: string
}

/** How an operation finds what it acts on. */
export interface TargetKind<I, T extends Target> {
  find(input: I, search: Search): T
}

/** What an operation is given when it runs: it was authenticated, validated, found, allowed and checked. */
export interface Context<I, T extends Target> extends Services {
  readonly input: I
  readonly target: T
  readonly caller: Caller
  readonly changes: Changes
}

/** One operation: what it needs, declared, and its own work. It adds to `changes`; the path commits them. */
export interface Operation<I, O, T extends Target> {
  /** On the wire, and in audit records and metrics. */
  readonly name: string
  /** CloudTrail's readOnly: true for what changes nothing that is remembered. */
  readonly readOnly: boolean
  readonly target: TargetKind<I, T>
  /** Input members that the audit record may hold; everything else is left out of it. */
  readonly recorded: readonly (keyof I & string)[]
  /** What the record says of members that the caller left out. */
  readonly recordedDefaults?: Partial<I>
  /** Output members that the audit record may hold. */
  readonly recordedOutput?: readonly (keyof O & string)[]
  /** What the record of a change calls the first of its resources, among the response elements. */
  readonly recordedResource?: string
  /** Whether the caller asks only if the request would succeed. Not, by default. */
  isDryRun?(input: I): boolean
  /**
   * The path wipes every byte array of the input and of the output. So what storage holds is answered as a copy, and only what is
   * neither given nor answered is left for the operation to wipe.
   */
  run(context: Context<I, T>): Promise<O | undefined>
}

// biome-ignore lint/suspicious/noExplicitAny: the path treats all operations alike; each file keeps its own types
export type AnyOperation = Operation<any, any, any>
