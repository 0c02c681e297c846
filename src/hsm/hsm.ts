import type {
  EncryptionAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import type { Ability } from '../model/keys/ability.ts'
import type { Custody, CustodyFault } from '../model/keys/key.ts'
import type { SupportedKeySpec } from '../model/keys/key-spec.ts'

/** What an HSM made of one encryption: AES-256-GCM with a 128-bit tag, NIST SP 800-38D. */
export interface Sealed {
  readonly iv: Uint8Array
  /** Ciphertext followed by its 16-byte tag. */
  readonly ciphertext: Uint8Array
}

/** A key that the HSM holds: what names it there, and what its mechanisms are chosen by. */
export interface HsmKey {
  /** Material id: 64 hex digits, the bytes of CKA_ID. */
  readonly material: string
  readonly spec: SupportedKeySpec
  /** DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7); absent where the key is secret as a whole. */
  readonly publicKey?: Uint8Array | undefined
}

/** A key, and what binds its record to its object. */
export interface HeldKey extends HsmKey {
  readonly usage: KeyUsageType
  /** As generateKey answered it. */
  readonly checkValue?: Uint8Array | undefined
}

/** `thorough`: searches the token for other objects with the same CKA_ID as well, in time linear in the number of objects. */
export type InspectionDepth = 'quick' | 'thorough'

/** What an inspection of the object of a key found. */
export interface KeyInspection {
  /** Absent when all is well. */
  readonly fault?: CustodyFault | undefined
  /** With `wrong_attributes`: the attributes that differ from the record. */
  readonly attributes?: readonly (keyof Custody)[] | undefined
}

/** What CreateKey got from the HSM. */
export interface GeneratedKey {
  readonly custody: Custody
  /** DER SubjectPublicKeyInfo; absent where the key is secret as a whole. */
  readonly publicKey?: Uint8Array | undefined
  /** What only this key can have made, and proves it again: see inspectKey. Absent where the public key proves it. */
  readonly checkValue?: Uint8Array | undefined
}

/** A key pair for use outside, of which no trace stays on the HSM. */
export interface KeyPair {
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array
  /** DER PKCS#8 PrivateKeyInfo (RFC 5208), in plaintext: whoever asks for it wipes it. */
  readonly privateKey: Uint8Array
}

/** One key object found on the HSM. */
export interface HsmObject {
  /** CKA_ID in lower-case hex; empty where the object has none. */
  readonly id: string
  /** CKA_LABEL. */
  readonly label: string
}

/** AES-256-GCM with keys that are secret as a whole. */
export interface SymmetricEncryption {
  /** Bytes of the IVs that this HSM makes now. It may change when the HSM does, say to FIPS mode. */
  readonly ivLength: number
  /**
   * Encrypts with a fresh IV made by the HSM or drawn from its generator.
   *
   * @param ivLength what the AAD says about the IV, if it does: rejects with KeyUnavailable when the HSM makes others by now
   */
  encrypt(material: string, plaintext: Uint8Array, aad: Uint8Array, ivLength?: number): Promise<Sealed>
  decrypt(material: string, sealed: Sealed, aad: Uint8Array): Promise<Uint8Array>
}

/** RSA OAEP: RFC 8017, section 7.1. */
export interface AsymmetricEncryption {
  /** With the public key, in the HSM or outside: see the configuration. */
  encryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, plaintext: Uint8Array): Promise<Uint8Array>
  /** Rejects with InvalidCiphertext, without text, whatever is wrong. */
  decryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, ciphertext: Uint8Array): Promise<Uint8Array>
}

export interface Signing {
  /** The signature in the form KMS answers: PKCS#1 octets, DER ECDSA-Sig-Value (RFC 3279, section 2.2.3), RFC 8032 octets. */
  sign(key: HsmKey, algorithm: SigningAlgorithmSpec, type: MessageType, message: Uint8Array): Promise<Uint8Array>
  /** False for a signature that does not fit, whatever is wrong with it. */
  verify(
    key: HsmKey,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean>
}

/** HMAC: RFC 2104. */
export interface MessageAuthentication {
  generateMac(key: HsmKey, algorithm: MacAlgorithmSpec, message: Uint8Array): Promise<Uint8Array>
  /** Compared in constant time, in the worker or on the HSM. */
  verifyMac(key: HsmKey, algorithm: MacAlgorithmSpec, message: Uint8Array, mac: Uint8Array): Promise<boolean>
}

/** ECDH: NIST SP 800-56A, section 5.7.1.2. */
export interface KeyAgreement {
  /** The raw x-coordinate. @param peer DER SubjectPublicKeyInfo on the same curve */
  deriveSharedSecret(key: HsmKey, peer: Uint8Array): Promise<Uint8Array>
}

export interface RandomGeneration {
  /** Bytes of the HSM's own generator, 1 to 1024; never fewer than asked for. */
  random(length: number): Promise<Uint8Array>
}

/** Creation, inspection and destruction of key objects. */
export interface KeyLifecycle {
  /**
   * Creates a key object whose CKA_ID is `material`, reads its custody attributes back, and destroys and refuses an object
   * that is not what was asked. When the call is refused and the HSM may have made the key all the same, it is destroyed.
   */
  generateKey(material: string, spec: SupportedKeySpec, usage: KeyUsageType, label: string): Promise<GeneratedKey>
  /** A data key pair: made as session objects, read out, gone. */
  generateKeyPair(spec: SupportedKeySpec): Promise<KeyPair>
  /** Destroys the key object, on every token of a cluster; rejects where one cannot be asked. An object that is not there is a success. */
  destroyKey(material: string): Promise<void>
  /**
   * Inspects the object of a key: that it exists, does what only this key can do, and has its custody attributes. Every worker inspects the
   * object that it uses itself. Rejects if there is no certain answer.
   */
  inspectKey(key: HeldKey, depth: InspectionDepth): Promise<KeyInspection>
  /**
   * Every secret and private key object on the token. Costs time linear in their number, and other calls are done meanwhile, so that one
   * which is created or destroyed then may be missing.
   */
  objects(): Promise<readonly HsmObject[]>
}

/** How an HSM is, as far as is known without asking it. */
export interface HsmStatus {
  readonly name: string
  readonly health: HsmHealth
  /** Why it cannot do something. Such calls reject with UnsupportedOperation. */
  whyNot(ability: Ability): string | undefined
  /** How many workers were started: it grows when the HSM has come back. */
  readonly epoch: number
  /** Calls sent to a worker or waiting for one. */
  readonly pending: number
}

/**
 * An HSM as the rest of the gateway sees it. Keys are named by their material id: 64 hex digits, the bytes of CKA_ID.
 *
 * Every call rejects with a Failure: `InvalidCiphertext` (no text) when a ciphertext does not decrypt for whatever
 * reason; `InvalidState` when a healthy HSM does not hold the key; `KeyUnavailable` when the HSM cannot
 * be reached or did not answer in time; `Internal` for everything else.
 */
export interface Hsm
  extends HsmStatus,
    SymmetricEncryption,
    AsymmetricEncryption,
    Signing,
    MessageAuthentication,
    KeyAgreement,
    RandomGeneration,
    KeyLifecycle {
  /** The same HSM for a caller, who gets a fair share of it: calls of others are not kept waiting by those of one. */
  for(caller: string): Hsm
  close(): Promise<void>
}

/** The HSMs that are connected now. Whoever wants to know which they are asks each time: they come and go. */
export interface Hsms {
  /** The HSM in which a region creates its keys. */
  ofRegion(region: string): Hsm
  /** By its name in the configuration. Throws KeyUnavailable when no such HSM is connected. */
  named(name: string): Hsm
  readonly all: readonly Hsm[]
  /** The same HSMs for one caller, who gets a fair share of each. */
  for(caller: string): Hsms
}

export interface HsmHealth {
  /**
   * `unavailable`: it cannot be reached, and is tried again. `untrusted`: it can be, but does not hold the keys. `pinRefused`: it
   * refused the PIN, and is not asked again before a restart.
   */
  readonly state: 'ready' | 'unavailable' | 'untrusted' | 'pinRefused'
  /** What keeps it from being ready. */
  readonly reason?: string | undefined
  /** Worker processes that are ready. */
  readonly workers: number
  /** Workers that were ever ready: if this has grown, the HSM may have been away. */
  readonly starts: number
  /** Workers that were started in place of lost ones. */
  readonly restarts: number
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
