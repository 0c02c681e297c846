/** Whoever does the calls of an HSM: the workers of one token, or several of these that hold the same keys. */
import type { Ability } from '../../model/keys/ability.ts'
import type { HsmHealth } from '../hsm.ts'
import type { CallName } from '../wire/calls.ts'

export interface CallOptions {
  /** When it must be settled at the latest, however much time it had: performance.now(). */
  readonly latest?: number | undefined
  /** Called when the call has failed though it may have been done, as soon as no worker is at it any more. */
  readonly undo?: (() => void) | undefined
}

export interface Backend {
  readonly name: string
  readonly ivLength: number
  readonly health: HsmHealth
  /** See hsm.ts. */
  whyNot(ability: Ability): string | undefined
  readonly pending: number
  /** Every token that may hold a key can be asked. */
  readonly isWhole: boolean
  /**
   * Resolves with the payload of the answer; rejects with a Failure.
   *
   * @param payload wiped when the call is settled
   * @param caller who is to have a fair share
   */
  call(name: CallName, payload: Buffer, caller: string, options?: CallOptions): Promise<Buffer>
  /** The same, of each worker there is. */
  callEach(name: CallName, payload: Buffer, caller: string): Promise<readonly Buffer[]>
  close(): Promise<void>
}
