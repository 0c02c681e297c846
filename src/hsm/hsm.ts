import type { Custody } from '../model/key.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'

/** What an HSM made of one encryption: AES-256-GCM with a 128-bit tag, NIST SP 800-38D. */
export interface Sealed {
  /** As long as the HSM's ivLength. */
  readonly iv: Uint8Array
  /** Ciphertext followed by its 16-byte tag. */
  readonly ciphertext: Uint8Array
}

/** One key object found on the HSM. */
export interface HsmObject {
  /** CKA_ID in lower-case hex; empty where the object has none. */
  readonly id: string
  /** CKA_LABEL. */
  readonly label: string
}

/**
 * An HSM as the rest of the house sees it. Keys are named by their material id: 64 hex digits, the bytes of CKA_ID.
 *
 * Every call rejects with a Failure: `InvalidCiphertextException` (no text) when a ciphertext does not decrypt for whatever
 * reason; `KMSInvalidStateException` when a healthy HSM does not hold the key; `KeyUnavailableException` when the HSM cannot
 * be reached or did not answer in time; `KMSInternalException` for everything else.
 */
export interface Hsm {
  readonly name: string
  /** Bytes of the IVs that this HSM encrypts with. */
  readonly ivLength: number
  /** Encrypts with a fresh IV made by the HSM or drawn from its generator. */
  encrypt(material: string, plaintext: Uint8Array, aad: Uint8Array): Promise<Sealed>
  decrypt(material: string, sealed: Sealed, aad: Uint8Array): Promise<Uint8Array>
  /** Bytes of the HSM's own generator, 1 to 1024. */
  random(length: number): Promise<Uint8Array>
  /**
   * Creates a key object whose CKA_ID is `material`, reads its custody attributes back, and destroys and refuses an object
   * that is not what was asked. Never repeated on a second worker.
   */
  generateKey(material: string, spec: SupportedKeySpec, label: string): Promise<Custody>
  /** Destroys the key object. An object that is not there is a success. */
  destroyKey(material: string): Promise<void>
  /** Every secret and private key object on the token. Costs time linear in their number. */
  objects(): Promise<readonly HsmObject[]>
  /** Calls sent to a worker or waiting for one. */
  readonly pending: number
  close(): Promise<void>
}

/** What is told to the metrics about each finished call: never its content. */
export interface HsmCall {
  readonly hsm: string
  readonly operation: string
  /**
   * `CKR_OK`, another PKCS#11 return code by name, `NONE` where the call failed without one (a key that is not there), or
   * `TIMEOUT` and `WORKER_LOST` where no answer came back.
   */
  readonly returnCode: string
  readonly seconds: number
}
