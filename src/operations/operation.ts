import type * as Sdk from '@aws-sdk/client-kms'
import type { Caller } from '../model/identities/caller.ts'
import type { Ability } from '../model/keys/ability.ts'
import type { Changes, Services, Storage } from '../services.ts'

type Commands = {
  [C in keyof typeof Sdk as C extends `${infer Name}Command` ? Name : never]: (typeof Sdk)[C]
}
/** Wire name of a KMS operation. */
export type OperationName = keyof Commands & string

type Instance<N extends OperationName> = Commands[N] extends new (...args: never[]) => infer I ? I : never
type SdkInput<N extends OperationName> = Instance<N> extends { readonly input: infer I } ? I : never

/** Members of the model that the types of the SDK lack. */
interface NewInput {
  readonly ListKeys: { readonly ResourceOwners?: readonly ('SELF' | 'OTHER_ACCOUNTS_VIA_RAM')[] | undefined }
}

/** Input of an operation after validation: the members that the model requires are there. */
export type Input<N extends OperationName> = {
  [M in keyof SdkInput<N>]: object extends Pick<SdkInput<N>, M> ? SdkInput<N>[M] : Exclude<SdkInput<N>[M], undefined>
} & (N extends keyof NewInput ? NewInput[N] : unknown)

type SdkOutput<N extends OperationName> = Commands[N] extends new (
  ...args: never[]
) => { resolveMiddleware(...args: never[]): infer H }
  ? H extends (...args: never[]) => Promise<{ output: infer O }>
    ? O
    : never
  : never

/** Output of an operation; operations without an output body answer nothing. */
export type Output<N extends OperationName> = Omit<SdkOutput<N>, '$metadata'>

/** One thing that must be allowed before an operation runs. */
export interface Permission {
  /** `kms:` and the operation's name, or another action that the operation implies. */
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

/** How an operation finds what it acts on. */
export interface TargetKind<I, T extends Target> {
  find(input: I, request: { readonly caller: Caller; readonly storage: Storage; readonly operation: string }): T
}

/** What an operation is given when it runs: it was authenticated, validated, found, allowed and checked. */
export interface Context<I, T extends Target> extends Services {
  readonly input: I
  readonly target: T
  readonly caller: Caller
  readonly changes: Changes
}

/** One operation: what it needs, declared, and its own work. It adds to `changes`; the path commits them. */
export interface Operation<N extends OperationName, T extends Target> {
  readonly name: N
  /** CloudTrail's readOnly: true for what changes nothing that is remembered. */
  readonly readOnly: boolean
  readonly target: TargetKind<Input<N>, T>
  /** Input members that the audit record may hold; everything else is left out of it. */
  readonly recorded: readonly (keyof Input<N> & string)[]
  /** What the record says of members that the caller left out. */
  readonly recordedDefaults?: Partial<Input<N>>
  /** Output members that the audit record may hold. */
  readonly recordedOutput?: readonly (keyof Output<N> & string)[]
  /**
   * The path wipes every byte array of the input and of the output. So what storage holds is answered as a copy, and only what is
   * neither given nor answered is left for the operation to wipe.
   */
  run(context: Context<Input<N>, T>): Promise<Output<N> | undefined>
}

// biome-ignore lint/suspicious/noExplicitAny: the path treats all operations alike; each file keeps its own types
export type AnyOperation = Operation<any, any>

/** Declares an operation. In two steps, so that the name gives input and output their types before the rest is read. */
export function operation<N extends OperationName>(name: N) {
  return <T extends Target>(declaration: Omit<Operation<N, T>, 'name'>): Operation<N, T> => ({ name, ...declaration })
}
