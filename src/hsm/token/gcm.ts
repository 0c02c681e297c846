/** AES-256-GCM (NIST SP 800-38D) in the forms of different HSMs: who generates the IV, and where it is returned. */
import pkcs11js from 'pkcs11js'
import { type GcmIv, gcmIvLengths, gcmTagLength } from '../profiles/profile.ts'
import type { Gcm } from '../wire/capabilities.ts'
import type { Mechanism } from './cryptoki.ts'

/** pkcs11js passes it as NULL with length 0, which makes these tokens generate the IV. */
const noIv = Buffer.alloc(0)

/**
 * The parameter struct of PKCS#11 v2.40 errata 01, section 2.12.3: the older struct, without ulIvBits, is refused. It points into
 * both Buffers: they must be referenced until the operation ends.
 */
function aesGcm(mechanism: number, iv: Buffer, aad: Buffer): Mechanism {
  const type = pkcs11js.CK_PARAMS_AES_GCM_v240
  return { mechanism, parameter: { type, iv, ivBits: iv.length * 8, aad, tagBits: gcmTagLength * 8 } }
}

/** The HSM no longer generates IVs as it did when the worker started, so what the worker has found out is outdated. */
export class FormChanged extends Error {
  override readonly name = 'FormChanged'

  constructor(form: GcmIv) {
    super(`the HSM does not generate IVs of AES-GCM in the form ${form}.`)
  }
}

export interface Sealed {
  readonly iv: Buffer
  /** Followed by its tag. */
  readonly ciphertext: Buffer
}

export interface Sealing {
  readonly mechanism: Mechanism
  /** Bytes of what C_Encrypt returns. */
  readonly outputLength: number
  /**
   * Splits the output of C_Encrypt into the IV, and the ciphertext followed by its tag. Throws FormChanged if the output is not of this
   * form: an IV that nobody generated must not be used.
   */
  split(output: Buffer): Sealed
}

/** @param drawIv returns a fresh IV, if the caller generates it */
export function sealing({ iv: form, mechanism }: Gcm, plaintext: Buffer, aad: Buffer, drawIv: () => Buffer): Sealing {
  const ivLength = gcmIvLengths[form]
  const sealedLength = plaintext.length + gcmTagLength
  const outputLength = form === 'prepend12' || form === 'append16' ? sealedLength + ivLength : sealedLength
  const given = form === 'caller' ? drawIv() : form === 'writeback12' ? Buffer.alloc(ivLength) : noIv
  const split: Sealing['split'] = output => {
    if (output.length !== outputLength) throw new FormChanged(form)
    if (form === 'prepend12') return { iv: output.subarray(0, ivLength), ciphertext: output.subarray(ivLength) }
    if (form === 'append16') return { iv: output.subarray(sealedLength), ciphertext: output.subarray(0, sealedLength) }
    if (form === 'writeback12' && given.every(byte => byte === 0)) throw new FormChanged(form)
    return { iv: given, ciphertext: output }
  }
  return { mechanism: aesGcm(mechanism, given, aad), outputLength, split }
}

export interface Opening {
  readonly mechanism: Mechanism
  /** What C_Decrypt is given. */
  readonly input: Buffer
}

/** @param ciphertext followed by its tag */
export function opening({ iv: form, mechanism }: Gcm, iv: Buffer, ciphertext: Buffer, aad: Buffer): Opening {
  return form === 'prepend12'
    ? { mechanism: aesGcm(mechanism, noIv, aad), input: Buffer.concat([iv, ciphertext]) }
    : { mechanism: aesGcm(mechanism, iv, aad), input: ciphertext }
}

const lengths: ReadonlySet<number> = new Set(Object.values(gcmIvLengths))

/** SoftHSM accepts any IV and a tag of any length. IVs of every form are accepted, as the form may have changed since the encryption. */
export function isSealed(iv: Buffer, ciphertext: Buffer): boolean {
  return lengths.has(iv.length) && ciphertext.length >= gcmTagLength
}
