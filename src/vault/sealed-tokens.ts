/** Tokens of the gateway: ciphertexts under the seal key of an HSM, so that they can neither be forged nor read. */
import { Failure } from '../errors.ts'
import type { EncryptionContext } from '../model/keys/encryption-context.ts'
import type { Hsm, Hsms } from '../services.ts'
import { decryptBlob, encryptBlob, type Vault } from './ciphertexts.ts'
import { sealKeyOf, systemKeyMaterial } from './system-keys.ts'

export type { Vault } from './ciphertexts.ts'

/** Its `purpose` keeps a token, or any other ciphertext, from being used in place of another kind of token. */
export type TokenContext = EncryptionContext & { readonly purpose: string }

/** The HSM of a region; the first for a region that has none, as that of a global endpoint may. */
export function sealingHsm(region: string, hsms: Hsms): Hsm {
  try {
    return hsms.ofRegion(region)
  } catch (thrown) {
    const [first] = hsms.regional
    if (first && thrown instanceof Failure) return hsms.named(first.name)
    throw thrown
  }
}

/** Resolves to a token, in base64url. Rejects with KeyUnavailable if the HSM has no seal key. */
export async function sealToken(
  plaintext: Uint8Array,
  context: TokenContext,
  hsm: string,
  vault: Vault,
): Promise<string> {
  const blob = await encryptBlob(vault, systemKeyMaterial(hsm, 'seal', vault.storage), plaintext, context)
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).toString('base64url')
}

/**
 * Resolves to the plaintext of a token; undefined unless it was sealed in this context by an HSM of this installation. What no such HSM can
 * have sealed is not sent to one.
 */
export async function unsealToken(token: string, context: TokenContext, vault: Vault): Promise<Uint8Array | undefined> {
  const blob = Buffer.from(token, 'base64url')
  // A token has one form.
  if (blob.toString('base64url') !== token) return undefined
  try {
    const seal = sealKeyOf(blob, vault)
    return seal && (await decryptBlob(vault.hsms, seal, blob, context))
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'InvalidCiphertext') return undefined
    throw thrown
  }
}
