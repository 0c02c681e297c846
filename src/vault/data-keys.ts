import type { DataKeyPairSpec, DataKeySpec } from '@aws-sdk/client-kms'
import type { EncryptionContext } from '../model/keys/encryption-context.ts'
import { currentMaterial, type Key, type KeyMaterial, objectOf } from '../model/keys/key.ts'
import { encryptWith, type VaultOfCall } from './ciphertexts.ts'

interface DataKeyInput {
  readonly KeySpec?: DataKeySpec | undefined
  readonly NumberOfBytes?: number | undefined
  readonly EncryptionContext?: EncryptionContext | undefined
}

/** A secret for use outside the gateway. A caller that does not return its plaintext wipes it. */
interface DataKey {
  readonly plaintext: Uint8Array
  /** The plaintext, encrypted under `material`. */
  readonly blob: Uint8Array
  readonly material: KeyMaterial
}

const bytesOf: Record<DataKeySpec, number> = { AES_128: 16, AES_256: 32 }

/** A data key from the HSM's generator, in plaintext and encrypted under the current material of the KMS key. */
export async function createDataKey(vault: VaultOfCall, key: Key, input: DataKeyInput): Promise<DataKey> {
  const length = input.KeySpec === undefined ? input.NumberOfBytes! : bytesOf[input.KeySpec]
  const material = currentMaterial(key)
  const plaintext = await vault.hsms.named(objectOf(material).hsm).random(length)
  return { plaintext, blob: await sealed(vault, key, plaintext, input.EncryptionContext), material }
}

interface DataKeyPairInput {
  readonly KeyPairSpec: DataKeyPairSpec
  readonly EncryptionContext?: EncryptionContext | undefined
}

/** A key pair that the HSM generates and does not store; its private key in plaintext and encrypted, as for a data key. */
export async function createDataKeyPair(
  vault: VaultOfCall,
  key: Key,
  input: DataKeyPairInput,
): Promise<DataKey & { readonly publicKey: Uint8Array }> {
  const material = currentMaterial(key)
  const { publicKey, privateKey } = await vault.hsms.named(objectOf(material).hsm).generateKeyPair(input.KeyPairSpec)
  const blob = await sealed(vault, key, privateKey, input.EncryptionContext)
  return { plaintext: privateKey, blob, material, publicKey }
}

async function sealed(
  vault: VaultOfCall,
  key: Key,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
): Promise<Uint8Array> {
  try {
    return await encryptWith(vault, key, 'SYMMETRIC_DEFAULT', plaintext, context)
  } catch (thrown) {
    plaintext.fill(0)
    throw thrown
  }
}
