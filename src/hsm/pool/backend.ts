/** What executes the calls of an HSM: the workers of one token, or of several tokens with the same keys. */
import type { Ability } from '../../model/keys/ability.ts'
import type { HsmHealth } from '../hsm.ts'
import type { CallName } from '../wire/calls.ts'

export interface CallOptions {
  /** CKA_ID of its key, in hex; undefined for a call without one. */
  readonly object?: string | undefined
  /** Deadline that overrides a later one of the call itself: performance.now(). */
  readonly latest?: number | undefined
  /**
   * Whether its caller gives up by `latest` rather than by the time-out: then it does not wait in the queue until there is no time left, and
   * a worker that has not answered by then does not hang yet.
   */
  readonly isUrgent?: boolean | undefined
  /** Called if the call failed but may have had an effect, as soon as no worker executes it any more. */
  readonly undo?: (() => void) | undefined
}

export interface Backend {
  readonly name: string
  readonly ivLength: number
  readonly health: HsmHealth
  /** See hsm.ts. */
  whyUnsupported(ability: Ability): string | undefined
  readonly pending: number
  /** Whether every token that may hold a key is ready. */
  readonly isWhole: boolean
  /**
   * Resolves with the payload of the answer; rejects with a Failure.
   *
   * @param payload wiped when the call is settled
   * @param caller calls are scheduled fairly between callers
   */
  call(name: CallName, payload: Buffer, caller: string, options?: CallOptions): Promise<Buffer>
  /** The same on every worker. */
  callEach(
    name: CallName,
    payload: Buffer,
    caller: string,
    options: Pick<CallOptions, 'object'>,
  ): Promise<readonly Buffer[]>
  close(): Promise<void>
}
