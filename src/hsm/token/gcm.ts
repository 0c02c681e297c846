/** AES-256-GCM (NIST SP 800-38D) in the forms that tokens know: who makes the IV, and where it is then. */
import pkcs11js from 'pkcs11js'
import { type GcmIv, gcmIvLengths, gcmTagLength } from '../profiles/profile.ts'
import type { Gcm } from '../wire/capabilities.ts'
import type { Mechanism } from './cryptoki.ts'

/** pkcs11js hands it over as NULL with length 0, which says to these tokens: make one. */
const noIv = Buffer.alloc(0)

/**
 * The parameter struct of PKCS#11 v2.40 errata 01, section 2.12.3: the older struct, without ulIvBits, is refused. It points into
 * both Buffers: they must be referenced until the operation ends.
 */
function aesGcm(mechanism: number, iv: Buffer, aad: Buffer): Mechanism {
  const type = pkcs11js.CK_PARAMS_AES_GCM_v240
  return { mechanism, parameter: { type, iv, ivBits: iv.length * 8, aad, tagBits: gcmTagLength * 8 } }
}

/** The HSM does not make IVs as it did when the worker started: what the worker knows of it holds no longer. */
export class FormChanged extends Error {
  override readonly name = 'FormChanged'

  constructor(form: GcmIv) {
    super(`The HSM does not make IVs of AES-GCM in the form ${form}.`)
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
   * Takes apart what C_Encrypt returned: the IV, and the ciphertext followed by its tag. Throws FormChanged when the token did not
   * answer in this form, as an IV that nobody made must not be used.
   */
  split(output: Buffer): Sealed
}

/** @param drawIv gives a fresh IV, where the caller makes it */
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

/** SoftHSM would take any IV and a tag of any length. The form may have changed since an encryption: every form's IV is taken. */
export function isSealed(iv: Buffer, ciphertext: Buffer): boolean {
  return lengths.has(iv.length) && ciphertext.length >= gcmTagLength
}
