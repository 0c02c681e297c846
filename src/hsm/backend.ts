/** Whoever does the calls of an HSM: the workers of one token, or several of these that hold the same keys. */
import type { HsmHealth } from './hsm.ts'
import type { CallName } from './messages.ts'

export interface Backend {
  readonly name: string
  readonly ivLength: number
  readonly health: HsmHealth
  readonly pending: number
  /**
   * Resolves with the payload of the answer; rejects with a Failure.
   *
   * @param payload wiped when the call is settled
   * @param caller who is to have a fair share
   */
  call(name: CallName, payload: Buffer, caller: string): Promise<Buffer>
  close(): Promise<void>
}
