/** What is known of an HSM, and of its calls, without asking it. */
import type { Ability } from '../model/keys/ability.ts'

/** The status of an HSM, known without a call. */
export interface HsmStatus {
  readonly name: string
  readonly health: HsmHealth
  /** The HSMs for which it may wrap multi-Region keys: see the configuration. */
  readonly transfersTo: readonly string[]
  /** Why it does not support something. Such calls reject with UnsupportedOperation. */
  whyUnsupported(ability: Ability): string | undefined
  /** Calls sent to a worker or waiting for one. */
  readonly pending: number
}

export interface HsmHealth {
  /**
   * `unavailable`: it cannot be reached; retried. `untrusted`: it can, but does not have the keys. `pinRefused`: it refused the PIN, which
   * is not tried again before a restart, or before its custom key store is connected again.
   */
  readonly state: 'ready' | 'unavailable' | 'untrusted' | 'pinRefused'
  /** Why it is not ready. */
  readonly reason?: string | undefined
  /** Worker processes that are ready. */
  readonly workers: number
  /** Workers that were ever ready: if this has grown, the HSM may have been away. */
  readonly starts: number
  /** Workers that were started in place of lost ones. */
  readonly restarts: number
  /** Other gateways use the token too: that this one cannot see its keys is no reason to call them missing. */
  readonly isShared?: boolean
  /** The tokens of a cluster, named `hsm/member`. */
  readonly members?: readonly (Pick<HsmHealth, 'state' | 'reason'> & { readonly name: string })[]
}

/** A finished call, for the metrics; never its content. */
export interface HsmCall {
  readonly hsm: string
  readonly operation: string
  /**
   * `CKR_OK`, another PKCS#11 return code by name, `none` if the call failed without one (no such key), `timeout` or `worker_lost` if there
   * was no answer, `queue_full` if it was not sent.
   */
  readonly returnCode: string
  readonly seconds: number
}
