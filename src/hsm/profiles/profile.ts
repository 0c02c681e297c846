/** What differs between makes of HSM, as flags: the rest of the code never asks for the vendor. */

export interface Profile {
  readonly name: string
  /** How a worker calls the library: see mode.ts. `measured`: whatever is fastest when the worker starts. */
  readonly mode: 'measured' | 'synchronous' | 'asynchronous' | 'threads'
  /** Sessions of each worker, which are its calls under way in every mode but `synchronous`. */
  readonly sessions: number
  /** Who makes the IV of an AES-GCM encryption. `caller`: it is drawn from the HSM's generator and handed over. */
  readonly ivSource: 'caller'
  /** Bytes of the IV. */
  readonly ivLength: number
  /** Return codes of C_Decrypt, beyond those the standard names, that stand for a ciphertext that is not right. */
  readonly badCiphertext: readonly string[]
  /** Hashes with which the token knows RSAES-OAEP. */
  readonly oaepHashes: readonly ('sha1' | 'sha256')[]
  /** CKA_MODIFIABLE is understood: keys are made with it false. */
  readonly modifiable: boolean
  /** CKA_COPYABLE (PKCS#11 v2.40) is understood: keys are made with it false. */
  readonly copyable: boolean
  /** Anyone may create a token with C_InitToken: `strongroom init` does so when it is not there yet. */
  readonly provisions: boolean
  /**
   * A process that searches the token while another one writes an object may read half of it, and keep that: creating,
   * destroying and listing objects therefore wait until no other call is running, and others wait for them.
   */
  readonly changesAlone: boolean
  /**
   * An RSA key is made in the session and then copied to the token: making it takes long, and with `changesAlone` all others would
   * wait for it. The copy is in the same custody, but may be copied again on the token.
   */
  readonly copiesRsaKeys: boolean
  /** How often a starting process looks for its token before it is said not to be there. */
  readonly searches: number
}

const defaults = {
  mode: 'measured',
  sessions: 16,
  ivSource: 'caller',
  ivLength: 12,
  badCiphertext: [],
  oaepHashes: ['sha1', 'sha256'],
  modifiable: true,
  copyable: true,
  provisions: false,
  changesAlone: false,
  copiesRsaKeys: false,
  searches: 1,
} as const satisfies Omit<Profile, 'name'>

export function profile(flags: Pick<Profile, 'name'> & Partial<Profile>): Profile {
  return Object.freeze({ ...defaults, ...flags })
}
