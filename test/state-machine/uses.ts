/** What is made with a key, and later opened or verified with it. */
import { randomBytes } from 'node:crypto'
import type { KMS } from '@aws-sdk/client-kms'
import { expect } from 'vitest'
import type { Kind } from './model.ts'

export interface Product {
  /**
   * Rejects with AWS's error, or if it opens to something else than it was made of. Resolves to the material that was used, if that is told.
   *
   * @param arn of the key that opens it
   */
  open(kms: KMS, arn: string): Promise<{ readonly KeyMaterialId?: string | undefined }>
  /** How it is refused when its key is gone, if not by the ARN of the key. */
  readonly refusedWithoutKey?: string
}

/** Of the ciphertext of a symmetric key: */
export interface Form {
  /** generated with the ciphertext, or given, */
  readonly isDataKey: boolean
  /** and opened with the ARN of its key. */
  readonly isNamed: boolean
}

type Use = (kms: KMS, KeyId: string, form: Form) => Promise<Product>

const text = new Uint8Array(randomBytes(16))

export function useOf({ KeySpec, KeyUsage }: Kind): Use {
  if (KeySpec === 'SYMMETRIC_DEFAULT') return encryptSymmetric
  return asymmetric[KeyUsage]!
}

const refusedWithoutKey =
  'AccessDeniedException: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.'

async function encryptSymmetric(kms: KMS, KeyId: string, { isDataKey, isNamed }: Form): Promise<Product> {
  const EncryptionContext = { 'Used by': KeyId }
  const made = isDataKey
    ? await kms.generateDataKey({ KeyId, NumberOfBytes: 24, EncryptionContext })
    : { Plaintext: text, ...(await kms.encrypt({ KeyId, Plaintext: text, EncryptionContext })) }
  return {
    ...(!isNamed && { refusedWithoutKey }),
    async open(kms, arn) {
      const key = isNamed ? { KeyId: arn } : {}
      const opened = await kms.decrypt({ CiphertextBlob: made.CiphertextBlob!, EncryptionContext, ...key })
      expect(opened.KeyId).toBe(arn)
      expect(opened.Plaintext).toEqual(made.Plaintext)
      return opened
    },
  }
}

const asymmetric: Partial<Record<Kind['KeyUsage'], Use>> = {
  async ENCRYPT_DECRYPT(kms, KeyId) {
    const Plaintext = text
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256'
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext, EncryptionAlgorithm })
    return {
      async open(kms, arn) {
        const opened = await kms.decrypt({ KeyId: arn, CiphertextBlob: CiphertextBlob!, EncryptionAlgorithm })
        expect(opened.Plaintext).toEqual(Plaintext)
        return {}
      },
    }
  },
  async GENERATE_VERIFY_MAC(kms, KeyId) {
    const Message = text
    const MacAlgorithm = 'HMAC_SHA_256'
    const { Mac } = await kms.generateMac({ KeyId, Message, MacAlgorithm })
    return {
      async open(kms, arn) {
        await kms.verifyMac({ KeyId: arn, Message, Mac: Mac!, MacAlgorithm })
        return {}
      },
    }
  },
  async SIGN_VERIFY(kms, KeyId) {
    const Message = text
    const SigningAlgorithm = 'ECDSA_SHA_256'
    const { Signature } = await kms.sign({ KeyId, Message, SigningAlgorithm })
    return {
      async open(kms, arn) {
        await kms.verify({ KeyId: arn, Message, Signature: Signature!, SigningAlgorithm })
        return {}
      },
    }
  },
}
