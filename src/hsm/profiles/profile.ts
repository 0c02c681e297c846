/** What differs between makes of HSM, as flags: the rest of the code never asks for the vendor. */
import type { Ability, Lacks } from '../../model/keys/ability.ts'

/**
 * Who makes the IV of an AES-GCM encryption, and where it is then.
 * `caller`: it is drawn from the HSM's generator and handed over. The HSM makes the others: `writeback12` writes 12 bytes into the
 * zeroed buffer it is given, `prepend12` puts 12 bytes before the ciphertext, `append16` puts 16 bytes behind the tag.
 */
export type GcmIv = 'caller' | 'writeback12' | 'prepend12' | 'append16'

/** Bytes of the IV. */
export const gcmIvLengths = { caller: 12, writeback12: 12, prepend12: 12, append16: 16 } as const satisfies Record<
  GcmIv,
  number
>

/** Bytes of the tag of AES-GCM: always all 128 bits, though tokens accept shorter ones. */
export const gcmTagLength = 16

export interface Profile {
  readonly name: string
  /** For people: the make. */
  readonly title: string
  /** How a worker calls the library: see mode.ts. `measured`: whatever is fastest when the worker starts. */
  readonly mode: 'measured' | 'synchronous' | 'asynchronous' | 'threads'
  /** Sessions of each worker, which is its calls in flight, in every mode but `synchronous`. */
  readonly sessions: number
  readonly gcmIv: GcmIv
  /** CKM_* of AES-GCM. */
  readonly gcmMechanism: number
  /** Return codes of C_Decrypt, beyond those the standard names, that stand for a ciphertext that is not right. */
  readonly badCiphertext: readonly string[]
  /** The same of C_Verify and a signature. */
  readonly badSignature: readonly string[]
  /** Return codes that stand for more calls than the HSM can take now, beyond those the standard names. */
  readonly throttling: readonly string[]
  /** Hashes with which the token knows RSAES-OAEP. */
  readonly oaepHashes: readonly ('sha1' | 'sha256')[]
  /** CKA_MODIFIABLE is understood: keys are made with it false. */
  readonly modifiable: boolean
  /** CKA_COPYABLE (PKCS#11 v2.40) is understood: keys are made with it false. */
  readonly copyable: boolean
  /** CKA_SIGN_RECOVER is understood of every private key: they are made with it false, where the token would take it for granted. */
  readonly signRecover: boolean
  /**
   * CKA_LOCAL is true of keys that were made on the token, and of no others. Where it says nothing, it is left out of the custody of a
   * key: that the key was born there then follows from CKA_ALWAYS_SENSITIVE and CKA_NEVER_EXTRACTABLE, false for what was brought in.
   */
  readonly tellsLocal: boolean
  /** Anyone may create a token with C_InitToken: `strongroom init` does so when it is not there yet. */
  readonly provisions: boolean
  /**
   * The library keeps an index of the token's objects in each process, and misses what other processes write: only one worker has the
   * token open at a time, and another one is kept as a spare that opens it when the first is gone.
   */
  readonly singleProcess: boolean
  /**
   * An RSA key is made in the session and then copied to the token: making it takes long, and the library does not bear that a token
   * object appears beside other calls. The copy is in the same custody, but may be copied again on the token.
   */
  readonly copiesRsaKeys: boolean
  /** How often a starting process looks for its token before it is said not to be there. */
  readonly searches: number
  /** What the make cannot do, each with the reason: it is refused, and not tried. */
  readonly lacks: Lacks
  /** What depends on firmware or settings, or is not known, each with the reason: the mechanism list and the probe decide. */
  readonly unsure: Lacks
}

/** PKCS#11 v2.40, CKM_AES_GCM. */
const aesGcm = 0x1087

/** Those of a token that follows the standard and lies behind a network. */
const defaults = {
  mode: 'measured',
  sessions: 16,
  gcmIv: 'caller',
  gcmMechanism: aesGcm,
  badCiphertext: [],
  badSignature: [],
  throttling: [],
  oaepHashes: ['sha1', 'sha256'],
  modifiable: true,
  copyable: true,
  signRecover: true,
  tellsLocal: true,
  provisions: false,
  singleProcess: false,
  copiesRsaKeys: false,
  searches: 1,
  lacks: {},
  unsure: {},
} as const satisfies Omit<Profile, 'name' | 'title'>

export function profile(flags: Pick<Profile, 'name' | 'title'> & Partial<Profile>): Profile {
  return Object.freeze({ ...defaults, ...flags })
}

/** The same reason for several abilities. */
export function because(reason: string, abilities: readonly Ability[]): Lacks {
  return Object.fromEntries(abilities.map(ability => [ability, reason]))
}

export const mlDsa = ['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const satisfies readonly Ability[]
