/**
 * The secrets of access keys. At rest, each is a ciphertext under the seal key of an HSM; the id of its access key is the encryption
 * context, so that no secret can be moved to another access key.
 */
import type { AccessKey } from '../model/identities/access-key.ts'
import { encryptBlob, type Vault } from './ciphertexts.ts'
import { systemKeyMaterial, unsealBlob } from './system-keys.ts'

/**
 * Resolves to a ciphertext blob (model/keys/ciphertext.ts). Rejects with KeyUnavailable if the HSM has no seal key.
 *
 * @param secret in UTF-8; wiped by the caller
 */
export async function sealSecret(
  accessKeyId: string,
  secret: Uint8Array,
  hsm: string,
  vault: Vault,
): Promise<Uint8Array> {
  return encryptBlob(vault, systemKeyMaterial(hsm, 'seal', vault.storage), secret, { accessKeyId })
}

/**
 * Resolves to the secret, in UTF-8, for the caller to wipe. Rejects with KeyUnavailable when no configured HSM has the key that sealed it,
 * with InvalidCiphertext if it is damaged or was sealed for another access key.
 */
export function unsealSecret({ id, sealedSecret }: AccessKey, vault: Vault): Promise<Uint8Array> {
  return unsealBlob(sealedSecret, { accessKeyId: id }, vault)
}
