/** Grant tokens: ciphertexts under the seal key of an HSM, so that they can neither be forged nor read. */
import { Failure } from '../errors.ts'
import type { GrantIdentity } from '../model/keys/grant.ts'
import type { Services, Storage } from '../services.ts'
import { decryptBlob, encryptBlob } from './ciphertexts.ts'
import { sealKeyOf, systemKeyMaterial } from './system-keys.ts'

type Vault = Pick<Services, 'storage' | 'hsms'>

/** No ciphertext for another purpose has this encryption context. */
const context = { purpose: 'grant token' }

/** Resolves to a new token of the grant. Rejects with KeyUnavailable if the HSM has no seal key. */
export async function sealGrantToken({ keyArn, id }: GrantIdentity, hsm: string, vault: Vault): Promise<string> {
  const plaintext = Buffer.from(JSON.stringify([keyArn, id]))
  const blob = await encryptBlob(vault.hsms, systemKeyMaterial(hsm, 'seal', vault.storage), plaintext, context)
  return Buffer.from(blob).toString('base64url')
}

/** Tokens that were unsealed, by the storage of their installation. */
const unsealed = new WeakMap<Storage, Map<string, GrantIdentity>>()
/** Each takes about 500 bytes. */
const maximumUnsealed = 10_000

/** Resolves to what identifies the grant, which may no longer exist. Rejects with InvalidGrantToken unless this installation made the token. */
export async function unsealGrantToken(token: string, vault: Vault): Promise<GrantIdentity> {
  const { storage } = vault
  const known = unsealed.get(storage) ?? new Map<string, GrantIdentity>()
  unsealed.set(storage, known)
  const found = known.get(token) ?? (await unseal(token, vault))
  if (known.size >= maximumUnsealed) known.delete(known.keys().next().value!)
  known.set(token, found)
  return found
}

async function unseal(token: string, vault: Vault): Promise<GrantIdentity> {
  const blob = Buffer.from(token, 'base64url')
  try {
    // A token has one form.
    const seal = blob.toString('base64url') === token ? sealKeyOf(blob, vault) : undefined
    if (!seal) throw new Failure('InvalidGrantToken')
    const plaintext = Buffer.from(await decryptBlob(vault.hsms, seal, blob, context))
    const [keyArn, id] = JSON.parse(plaintext.toString()) as [string, string]
    return { keyArn, id }
  } catch (thrown) {
    throw thrown instanceof Failure && thrown.code === 'InvalidCiphertext' ? new Failure('InvalidGrantToken') : thrown
  }
}
