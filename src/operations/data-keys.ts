import type { DataKeySpec } from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import type { EncryptionContext } from '../model/encryption-context.ts'
import { currentMaterial, type Key, type KeyMaterial } from '../model/key.ts'
import type { Hsms } from '../services.ts'
import { encryptBlob } from './ciphertexts.ts'

interface DataKeyInput {
  readonly KeySpec?: DataKeySpec | undefined
  readonly NumberOfBytes?: number | undefined
  readonly EncryptionContext?: EncryptionContext | undefined
}

const bytesOf: Record<DataKeySpec, number> = { AES_128: 16, AES_256: 32 }

/** A data key from the HSM's generator, in plaintext and encrypted under the current material of the KMS key. */
export async function createDataKey(
  hsms: Hsms,
  key: Key,
  input: DataKeyInput,
): Promise<{ readonly plaintext: Uint8Array; readonly blob: Uint8Array; readonly material: KeyMaterial }> {
  if ((input.KeySpec === undefined) === (input.NumberOfBytes === undefined)) {
    throw new Failure('ValidationException', 'Please specify either number of bytes or key spec.')
  }
  const length = input.KeySpec === undefined ? input.NumberOfBytes! : bytesOf[input.KeySpec]
  const material = currentMaterial(key)
  const plaintext = await hsms.named(material.hsm).random(length)
  return { plaintext, blob: await encryptBlob(hsms, material, plaintext, input.EncryptionContext), material }
}
