/** The argument and environment of a worker. They state where the PIN is, never the PIN. */
import type { Profile } from '../profiles/profile.ts'
import type { PinSource, TokenAddress } from './token-address.ts'

/** JSON on the command line. */
export interface WorkerArgument extends TokenAddress, PinSource {
  readonly profile: Profile
  readonly allowSoftwareFallback: boolean
  readonly strictCustody: boolean
  /** See WorkerOptions. */
  readonly transfers: boolean
  /** See Profile. */
  readonly sessionsPerWorker: number
  /** See WorkerOptions. */
  readonly sharers: number
  /** A key that is not found may be one that another gateway has created: see pool/misses.ts. */
  readonly mayMissKeys: boolean
  /** Absent until there is one. */
  readonly canary?: { readonly object: string /** Base64. */; readonly checkValue?: string | undefined } | undefined
}

/** Options of all workers of an HSM. */
export interface WorkerOptions extends TokenAddress, PinSource {
  /** By default that of the profile. */
  readonly sessionsPerWorker?: number | undefined
  /** How many worker processes may have sessions with the token at the same time, those of other gateway processes of the machine included. */
  readonly sharers?: number | undefined
  /** Whether other gateways use the token, by default not. */
  readonly isShared?: boolean
  /** Whether the worker may remove OAEP padding that the HSM does not support: it then sees what only the HSM should see. */
  readonly allowSoftwareFallback: boolean
  /** Key material that the HSM cannot unwrap itself is refused: no worker may see it. */
  readonly strictCustody: boolean
  /** It may wrap multi-Region keys for other HSMs: a worker finds out whether only trusted keys can wrap them. */
  readonly transfers?: boolean | undefined
  /** The whole environment of the workers, such as SOFTHSM2_CONF; they inherit nothing else. */
  readonly environment: Readonly<Record<string, string>>
  /** The PIN in UTF-8, asked for whenever a worker starts, and wiped: with neither `pinFile` nor `pinVariable`. */
  readonly pin?: (() => Promise<Uint8Array>) | undefined
  /** Undefined until there is one. */
  readonly canary?: (() => CanaryKey | undefined) | undefined
}

/** An AES key that proves that the token is the right one and works. */
export interface CanaryKey {
  readonly object: string
  /** From generateKey: only a token with this very key can compute it. */
  readonly checkValue?: Uint8Array | undefined
}

/** Calls queued in the socket and the worker, which keep the library busy while answers are being delivered. */
export const waitingCalls = 32

/** Maximum number of calls sent to a worker. */
export function capacityOf({ profile, sessionsPerWorker }: WorkerArgument): number {
  return profile.mode === 'synchronous' ? waitingCalls : sessionsPerWorker + waitingCalls
}

/** Threads of libuv's pool besides those of the sessions. */
const sparePoolThreads = 4

export function workerArgument(options: WorkerOptions, profile: Profile): WorkerArgument {
  const { library, libraryParameters, tokenLabel, tokenSerial, pinFile, pinVariable, canary } = options
  return {
    library,
    libraryParameters,
    tokenLabel,
    tokenSerial,
    pinFile,
    pinVariable,
    allowSoftwareFallback: options.allowSoftwareFallback,
    strictCustody: options.strictCustody,
    transfers: options.transfers ?? false,
    profile,
    sessionsPerWorker: options.sessionsPerWorker ?? profile.sessionsPerWorker,
    sharers: options.sharers ?? 1,
    mayMissKeys: mayMissKeys(options, profile),
    canary: encodeCanary(canary?.()),
  }
}

/** Whether the library may not know what other gateways have created. */
export function mayMissKeys({ isShared = false }: WorkerOptions, { singleProcess, processLock }: Profile): boolean {
  return isShared && singleProcess && !processLock
}

/** The size of libuv's pool has to be set before the process starts. */
export function workerEnvironment({ environment }: WorkerOptions, { profile, sessionsPerWorker }: WorkerArgument) {
  const pool = { UV_THREADPOOL_SIZE: String(sessionsPerWorker + sparePoolThreads) }
  return { ...(profile.mode !== 'synchronous' && pool), ...environment }
}

function encodeCanary(canary: CanaryKey | undefined): WorkerArgument['canary'] {
  if (canary === undefined) return undefined
  const { object, checkValue } = canary
  return { object, checkValue: checkValue && Buffer.from(checkValue).toString('base64') }
}
