/** What differs between HSMs, as flags: no other code depends on the vendor. */
import type { Ability, Lacks } from '../../model/keys/ability.ts'

/**
 * Who generates the IV of an AES-GCM encryption, and where it is returned.
 * `caller`: the worker, with C_GenerateRandom. In the other forms the HSM does: `writeback12` writes 12 bytes into the zeroed buffer
 * of the parameters, `prepend12` puts 12 bytes before the ciphertext, `append16` puts 16 bytes after the tag.
 */
export type GcmIv = 'caller' | 'writeback12' | 'prepend12' | 'append16'

/** Bytes of the IV. */
export const gcmIvLengths = { caller: 12, writeback12: 12, prepend12: 12, append16: 16 } as const satisfies Record<
  GcmIv,
  number
>

/** Bytes of the tag of AES-GCM: always 128 bits, though tokens accept shorter ones. */
export const gcmTagLength = 16

/**
 * How a worker calls the library. `synchronous`: one call at a time, for a token whose calls take microseconds. `asynchronous`: C_*Init in
 * the main thread, what follows in libuv's pool, so as many calls at a time as there are sessions; for an HSM behind a network.
 */
export type Mode = 'synchronous' | 'asynchronous'

export interface Profile {
  readonly name: string
  /** The product, for people. */
  readonly title: string
  readonly mode: Mode
  /** The user of custom key stores, if the PIN is `user:password`. */
  readonly keyStoreUser?: string | undefined
  /** C_*Init is a round trip to the HSM of its own, during which the main thread of a worker can start nothing else. */
  readonly initIsRoundTrip: boolean
  /** Sessions of each worker: in mode `asynchronous`, as many calls at a time. */
  readonly sessionsPerWorker: number
  readonly gcmIv: GcmIv
  /** CKM_* of AES-GCM. */
  readonly gcmMechanism: number
  /** Return codes of C_Decrypt that mean an invalid ciphertext, beyond those of the standard. */
  readonly invalidCiphertextCodes: readonly string[]
  /** Return codes of C_Verify that mean an invalid signature, beyond those of the standard. */
  readonly invalidSignatureCodes: readonly string[]
  /** Return codes that mean that the HSM is overloaded, beyond those of the standard. */
  readonly throttlingCodes: readonly string[]
  /** Hashes of RSAES-OAEP that the token supports. */
  readonly oaepHashes: readonly ('sha1' | 'sha256')[]
  /** Keys are created with CKA_MODIFIABLE false. */
  readonly supportsCkaModifiable: boolean
  /** Keys are created with CKA_COPYABLE (PKCS#11 v2.40) false. */
  readonly supportsCkaCopyable: boolean
  /** Private keys are created with CKA_SIGN_RECOVER false; the token may set it otherwise. */
  readonly supportsCkaSignRecover: boolean
  /**
   * CKA_LOCAL is true for keys generated on the token, and only for them. If not, custody checks ignore it: that the key was generated
   * there then follows from CKA_ALWAYS_SENSITIVE and CKA_NEVER_EXTRACTABLE, which are false for imported keys.
   */
  readonly reportsCkaLocal: boolean
  /** How keys are imported, the preferred way first. */
  readonly importMethods: readonly ImportMethod[]
  /** CKM_* that may unwrap an imported key: AES key wrap with padding (RFC 5649), or CKM_AES_CBC_PAD. The preferred one first. */
  readonly keyWrapMechanisms: readonly number[]
  /**
   * Types of keys that C_UnwrapKey makes of what RSAES-OAEP encrypts, with a hash of `oaepHashes`. Of other types a worker bridges it: see
   * Custody. PKCS#11 v2.40, section 2.1.8, promises secret keys only.
   */
  readonly oaepUnwraps: readonly KeyType[]
  /** The same of AES key wrap with padding (RFC 5649), with a mechanism of `keyWrapMechanisms`. */
  readonly keyWrapUnwraps: readonly KeyType[]
  /** C_InitToken needs no vendor tool: `strongroom init` creates the token if it is missing. */
  readonly canInitializeToken: boolean
  /**
   * The library keeps an index of the token's objects in each process, and misses what other processes write: one worker has the token
   * open at a time, and another is a spare that opens it when the first is lost.
   */
  readonly singleProcess: boolean
  /**
   * Processes damage what others write at the same time, so they take turns: see token/process-lock.ts, which knows the folder of SoftHSM.
   * Then they also find what others have written.
   */
  readonly processLock: boolean
  /**
   * An RSA key is generated as a session object and then copied to the token: generation is slow, and the library fails if a token object
   * appears during other calls. The copy has the same protection, but may be copied again on the token.
   */
  readonly generatesRsaKeysInSession: boolean
  /** How often a starting process looks for its token before it reports it missing. */
  readonly tokenSearchAttempts: number
  /** What the HSM cannot do, each with the reason: refused without being tried. */
  readonly lacks: Lacks
  /** What depends on firmware or settings, or is not known, each with the reason: the mechanism list and the probe decide. */
  readonly mayLack: Lacks
}

/**
 * How key material comes onto the token. It is wrapped under an AES key of this one call, which is agreed with the token (`ECDH`) or wrapped
 * under an RSA key of the token (`RSA-OAEP`); or C_CreateObject takes it in plaintext (`plaintext`).
 */
export const importMethods = ['ECDH', 'RSA-OAEP', 'plaintext'] as const
export type ImportMethod = (typeof importMethods)[number]

/** `secret`: AES and HMAC keys. */
export const keyTypes = ['secret', 'RSA', 'EC', 'Ed25519'] as const
export type KeyType = (typeof keyTypes)[number]

/** PKCS#11 v2.40, CKM_AES_GCM. */
const aesGcm = 0x1087

/** PKCS#11 v2.40, CKM_AES_KEY_WRAP_PAD, and v3.0, CKM_AES_KEY_WRAP_KWP: RFC 5649 in most tokens, in others PKCS#7 padding. */
const [aesKeyWrapPad, aesKeyWrapKwp] = [0x210a, 0x210b]
/** PKCS#11 v2.40. */
const aesCbcPad = 0x1085

/** A network HSM that follows the standard. */
const defaults = {
  initIsRoundTrip: false,
  sessionsPerWorker: 16,
  gcmIv: 'caller',
  gcmMechanism: aesGcm,
  invalidCiphertextCodes: [],
  invalidSignatureCodes: [],
  throttlingCodes: [],
  oaepHashes: ['sha1', 'sha256'],
  supportsCkaModifiable: true,
  supportsCkaCopyable: true,
  supportsCkaSignRecover: true,
  reportsCkaLocal: true,
  importMethods: ['ECDH', 'RSA-OAEP'],
  keyWrapMechanisms: [aesKeyWrapPad, aesKeyWrapKwp, aesCbcPad],
  oaepUnwraps: ['secret'],
  keyWrapUnwraps: ['secret', 'RSA', 'EC'],
  canInitializeToken: false,
  singleProcess: false,
  processLock: false,
  generatesRsaKeysInSession: false,
  tokenSearchAttempts: 1,
  lacks: {},
  mayLack: {},
} as const satisfies Omit<Profile, 'name' | 'title' | 'mode'>

export function profile(flags: Pick<Profile, 'name' | 'title' | 'mode'> & Partial<Profile>): Profile {
  return Object.freeze({ ...defaults, ...flags })
}

/** The same reason for several abilities. */
export function because(reason: string, abilities: readonly Ability[]): Lacks {
  return Object.fromEntries(abilities.map(ability => [ability, reason]))
}

export const mlDsa = ['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const satisfies readonly Ability[]
