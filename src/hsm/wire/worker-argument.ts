/** What a worker is told when it starts: its argument and its environment. The PIN is in neither, only where it is to be read. */
import type { Profile } from '../profiles/profile.ts'
import type { PinSource, TokenAddress } from './token-address.ts'

/** One JSON text on the command line. */
export interface WorkerArgument extends TokenAddress, PinSource {
  readonly profile: Profile
  readonly allowSoftwareFallback: boolean
  /** See Profile. */
  readonly sessionsPerWorker: number
  /** The key by which the HSM is known to be the right one and to work; absent before there is one. */
  readonly canary?: { readonly material: string /** Base64. */; readonly checkValue?: string | undefined } | undefined
}

/** What the configuration says of every worker of an HSM. */
export interface WorkerOptions extends TokenAddress, PinSource {
  /** By default that of the profile. */
  readonly sessionsPerWorker?: number | undefined
  /** Whether the worker does what the HSM lacks, though it then sees what only the HSM should see: removing OAEP padding. */
  readonly allowSoftwareFallback: boolean
  /** The whole environment of the workers, for example SOFTHSM2_CONF: nothing else is handed over. */
  readonly environment: Readonly<Record<string, string>>
  /** The key by which the token is known to be the right one and to work; nothing before there is one. */
  readonly canary?: (() => CanaryKey | undefined) | undefined
}

/** An AES key. */
export interface CanaryKey {
  readonly material: string
  /** As generateKey answered it: only a token that holds the very key knows what it is. */
  readonly checkValue?: Uint8Array | undefined
}

/** Calls that wait in the socket and in the worker keep the library busy while answers are on their way: so many are enough. */
export const waitingCalls = 32

/** How many calls a worker takes at a time. */
export function capacityOf({ profile, sessionsPerWorker }: WorkerArgument): number {
  return profile.mode === 'synchronous' ? waitingCalls : sessionsPerWorker + waitingCalls
}

/** Threads of libuv's pool beside those of the sessions. */
const sparePoolThreads = 4

export function workerArgument(options: WorkerOptions, profile: Profile): WorkerArgument {
  const { library, libraryParameters, tokenLabel, tokenSerial, pinFile, pinVariable, allowSoftwareFallback, canary } =
    options
  return {
    library,
    libraryParameters,
    tokenLabel,
    tokenSerial,
    pinFile,
    pinVariable,
    allowSoftwareFallback,
    profile,
    sessionsPerWorker: options.sessionsPerWorker ?? profile.sessionsPerWorker,
    canary: encodeCanary(canary?.()),
  }
}

/** The size of libuv's pool has to be said before the process starts. */
export function workerEnvironment({ environment }: WorkerOptions, { profile, sessionsPerWorker }: WorkerArgument) {
  const pool = { UV_THREADPOOL_SIZE: String(sessionsPerWorker + sparePoolThreads) }
  return { ...(profile.mode !== 'synchronous' && pool), ...environment }
}

function encodeCanary(canary: CanaryKey | undefined): WorkerArgument['canary'] {
  if (canary === undefined) return undefined
  const { material, checkValue } = canary
  return { material, checkValue: checkValue && Buffer.from(checkValue).toString('base64') }
}
