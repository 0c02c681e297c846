/** An operation of any API, as the pipeline sees it. */
import type { ConditionKeys } from '../model/condition-keys.ts'
import type { Caller } from '../model/identities/caller.ts'
import type { Ability } from '../model/keys/ability.ts'
import type { RecordedMaterial } from '../model/keys/recorded-material.ts'
import type { PolicyVocabulary } from '../model/policy-vocabulary.ts'
import type {
  Changes,
  ConditionValues,
  ExternalKeys,
  Hsms,
  PathServices,
  Policies,
  ResourcePolicy,
  Services,
  Storage,
} from '../services.ts'

/** A permission that an operation requires. */
export interface Permission {
  /** The operation's name, or another action of its API that it implies; without the prefix of the API. */
  readonly action: string
  /** ARN acted on, `*` for operations that act on no resource. */
  readonly resource: string
  /** Shown in a denial instead of `resource`. */
  readonly named?: string | undefined
  /** Account that owns the resource. */
  readonly account: string
  /** Absent: only identity-based policies decide. */
  readonly resourcePolicy?: ResourcePolicy | undefined
  /** Condition keys that its resource contributes. */
  readonly conditionKeys?: ConditionValues | undefined
  /** The grant that allows it, if any: asked only if no policy does. */
  readonly grant?: Policies['grant']
  /** What a resource of another account is decided as, as long as it is not shared with the caller: one that does not exist. */
  readonly asMissing?: Pick<Permission, 'resource' | 'conditionKeys'>
  /** The message of a denial, if AWS has a special one. */
  readonly denial?: string
  /** For the operator, the first of the reasons of a denial. */
  readonly reason?: string
}

/** What an HSM must support for a request. */
export interface HsmUse {
  /** Its name in the configuration. */
  readonly hsm: string
  readonly abilities: readonly Ability[]
}

/** What a request acts on. */
export interface Target {
  readonly permissions: readonly Permission[]
  /** ARNs for the audit record: of keys first, then of aliases. */
  readonly resources: readonly string[]
  /** ARNs of the keys of which a success is a cryptographic use. */
  readonly usedKeys?: readonly string[] | undefined
  /** Account that owns the resource, if its ARN does not tell: empty for an AWS owned key. */
  readonly owner?: string | undefined
  /** CloudTrail's additionalEventData: what is neither in the request nor in the answer. */
  readonly additionalEventData?: Readonly<Record<string, unknown>>
  /** CloudTrail's requestParameters that are not members of the input. */
  readonly requestParameters?: Readonly<Record<string, unknown>>
  /** Key material with which an HSM does the work, for the audit record. Available after the check. */
  readonly recordedMaterial?: RecordedMaterial | undefined
  /** Creates what it names and does not exist yet: only now that the caller is known to be allowed, and not in a dry run. */
  readonly prepare?: (() => Promise<void>) | undefined
  /** Throws if state or usage do not fit. Runs after authorization, so that errors leak no state. */
  check(): void
  /** Available after the check. The pipeline refuses what an HSM does not support, in a dry run, too. */
  readonly hsmUses?: readonly HsmUse[]
}

/** What a target is found by, in addition to the input. */
export interface Search {
  readonly caller: Caller
  readonly storage: Storage
  readonly hsms: Hsms
  /** Name of the operation, and of the action to authorize. */
  readonly operation: string
  readonly serviceKeys?: Services['serviceKeys']
  readonly keyStores?: Services['keyStores']
}

/** How an operation finds its target: without a promise if it takes no call to an HSM, as on the path of most requests. */
export interface TargetKind<I, T extends Target> {
  find(input: I, search: Search): T | Promise<T>
}

/** What an operation gets when it runs, after authentication, validation, authorization and checks. */
export interface Context<I, T extends Target> extends Services {
  readonly input: I
  readonly target: T
  readonly caller: Caller
  /** Those of external key stores. */
  readonly externalKeys: ExternalKeys
  readonly changes: Changes
}

/** What the condition keys of an operation are computed from. */
export interface Asked<I, T extends Target> {
  readonly input: I
  readonly target: T
  readonly caller: Caller
  /** Of the permission that is being decided. */
  readonly action: string
  /** Milliseconds since the epoch: when the request arrived. */
  readonly now: number
  /** Whether resources of other accounts are hidden from the caller: what depends on them is as if they did not exist. */
  readonly asMissing: boolean
}

/** What an operation that needs no signature is asked by. */
export interface Unsigned extends Services {
  readonly sourceAddress: string
  readonly webIdentity: PathServices['webIdentity']
}

/** An operation: declarations of what it needs, and its own work. It adds to `changes`; the pipeline commits them. */
export interface Operation<I, O, T extends Target> {
  /** On the wire, and in audit records and metrics. */
  readonly name: string
  /** CloudTrail's readOnly: true if it changes nothing that callers see. */
  readonly readOnly: boolean
  /**
   * The caller, by the input alone: of an operation that needs no signature, and does not regard one. Rejects with a Failure if the input
   * proves nobody.
   */
  identify?(input: I, services: Unsigned): Promise<Caller>
  readonly target: TargetKind<I, T>
  /** Condition keys that the request contributes to each of its permissions, besides those of its resource. */
  readonly conditionKeys?: ConditionKeys<Asked<I, T>>
  /** Input members in the audit record; others are omitted. */
  readonly recorded: readonly (keyof I & string)[]
  /** Values in the record for members that the caller omitted. */
  recordedDefaults?(input: I): Partial<Readonly<Record<keyof I, unknown>>>
  /** Output members in the audit record. */
  readonly recordedOutput?: readonly (keyof O & string)[]
  /** What the record says about a change besides, among our own data. */
  recordedChange?(changes: Changes): Readonly<Record<string, unknown>> | undefined
  /** CloudTrail's additionalEventData of a change, besides that of the target. */
  recordedData?(changes: Changes): Readonly<Record<string, unknown>> | undefined
  /** Name of the first resource among the response elements in the record of a change. */
  readonly recordedResource?: string
  /**
   * Rejects if the rest of the request is not valid by what only an HSM can tell. Called after authorization, so that a caller who is not
   * allowed anything makes no work for an HSM.
   */
  validate?(input: I, services: Pick<Services, 'storage' | 'hsms'>): Promise<void> | undefined
  /** Whether the caller only wants to know if the request would succeed. Default: false. */
  isDryRun?(input: I): boolean
  /**
   * The pipeline wipes every byte array of input and output. So arrays of storage must be copied, and an operation wipes only secrets that
   * are in neither.
   */
  run(context: Context<I, T>): Promise<O | undefined>
  /** Called if a run failed, or its changes conflicted with those of others, so that nothing was committed: takes back what else it did. */
  undo?(changes: Changes, services: Pick<Services, 'hsms'>): Promise<void>
}

/** An API as those see it who write policies: for requests that nobody sends. */
export interface PolicySubject {
  readonly vocabulary: PolicyVocabulary
  /**
   * The permission that an action requires of a caller. Throws Failure if there is no such resource.
   *
   * @param action without the prefix of the API
   * @param resource as a request names it, or `*`
   * @param given condition keys of the request by their names, as written
   */
  permission(
    action: string,
    resource: string,
    given: ReadonlyMap<string, readonly string[]>,
    search: Pick<Search, 'caller' | 'storage'>,
  ): Permission
}

// biome-ignore lint/suspicious/noExplicitAny: the path treats all operations alike; each file keeps its own types
export type AnyOperation = Operation<any, any, any>
