/**
 * The secrets of custom key stores: the password of a CloudHSM user, the secret access key of an XKS proxy. At rest, each is a ciphertext
 * under the seal key of the HSM of the store's region; the id of the store is the encryption context, so that no secret can be moved to
 * another store.
 */
import type { CustomKeyStore } from '../model/keys/custom-key-store.ts'
import { encryptBlob, type Vault } from './ciphertexts.ts'
import { systemKeyMaterial, unsealBlob } from './system-keys.ts'

type Sealed = Pick<CustomKeyStore, 'id' | 'region'>

/** Resolves to a ciphertext blob (model/keys/ciphertext.ts). Rejects with KeyUnavailable if the HSM has no seal key. */
export async function sealStoreSecret({ id, region }: Sealed, secret: string, vault: Vault): Promise<Uint8Array> {
  const plaintext = Buffer.from(secret)
  try {
    const { name } = vault.hsms.ofRegion(region)
    return await encryptBlob(vault, systemKeyMaterial(name, 'seal', vault.storage), plaintext, { customKeyStoreId: id })
  } finally {
    plaintext.fill(0)
  }
}

/**
 * Resolves to the secret, in UTF-8, for the caller to wipe. Rejects with KeyUnavailable when no connected HSM has the key that sealed it,
 * with InvalidCiphertext if it is damaged or was sealed for another store.
 */
export function unsealStoreSecret(
  { id }: Pick<CustomKeyStore, 'id'>,
  sealed: Uint8Array,
  vault: Vault,
): Promise<Uint8Array> {
  return unsealBlob(sealed, { customKeyStoreId: id }, vault)
}
