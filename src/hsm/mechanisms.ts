/** PKCS#11 mechanisms and their parameters, by key spec and by algorithm. */
import pkcs11js from 'pkcs11js'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { Mechanism } from './cryptoki.ts'

/** How keys of a spec are generated. */
export const generationMechanisms: Readonly<Record<SupportedKeySpec, Mechanism>> = {
  SYMMETRIC_DEFAULT: { mechanism: pkcs11js.CKM_AES_KEY_GEN },
}

/** Bytes of the tag: always all 128 bits, though tokens accept shorter ones. */
export const tagLength = 16

/**
 * AES-GCM in the parameter struct of PKCS#11 v2.40 errata 01, section 2.12.3: the older struct, without ulIvBits, is refused.
 * The struct points into both Buffers: they must be referenced until the operation ends.
 */
export function aesGcm(iv: Buffer, aad: Buffer): Mechanism {
  return {
    mechanism: pkcs11js.CKM_AES_GCM,
    parameter: {
      type: pkcs11js.CK_PARAMS_AES_GCM_v240,
      iv,
      ivBits: iv.length * 8,
      aad,
      tagBits: tagLength * 8,
    },
  }
}
