/** Options of one HSM and its workers. */
import type { Log } from '../../log.ts'
import type { HsmCall } from '../hsm.ts'
import type { WorkerOptions } from '../wire/worker-argument.ts'

export interface PoolOptions extends WorkerOptions {
  /** Name of the HSM in the configuration. */
  readonly name: string
  /** Name of a profile in profiles/, or path of a YAML file. */
  readonly profile: string
  /** Number of worker processes: see worker-count.ts. If only one may have the token open, a second one is a spare. */
  readonly workers: number | 'auto'
  /** How many gateway processes may have the token open at the same time; by default 1. */
  readonly gateways?: number
  /** Milliseconds within which a call is answered. */
  readonly callTimeout: number
  /** Bytes of the IVs that other tokens with the same keys make, if one of them is ready: a token with another length is not used. */
  readonly ivLength?: (() => number | undefined) | undefined
  readonly log?: Log | undefined
  /** Maximum number of calls that wait for a worker, and of key generations that wait; more are refused with Throttling. */
  readonly maxQueuedCalls: number
  readonly observe?: ((call: HsmCall) => void) | undefined
}
