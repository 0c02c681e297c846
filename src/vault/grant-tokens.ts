/** Grant tokens: each identifies a grant. */
import { Failure } from '../errors.ts'
import type { GrantIdentity } from '../model/keys/grant.ts'
import type { Storage } from '../services.ts'
import { sealToken, unsealToken, type Vault } from './sealed-tokens.ts'

const context = { purpose: 'grant token' }

/** Resolves to a new token of the grant. Rejects with KeyUnavailable if the HSM has no seal key. */
export function sealGrantToken({ keyArn, id }: GrantIdentity, hsm: string, vault: Vault): Promise<string> {
  return sealToken(Buffer.from(JSON.stringify([keyArn, id])), context, hsm, vault)
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
  const plaintext = await unsealToken(token, context, vault)
  if (plaintext === undefined) throw new Failure('InvalidGrantToken')
  const [keyArn, id] = JSON.parse(Buffer.from(plaintext).toString()) as [string, string]
  return { keyArn, id }
}
