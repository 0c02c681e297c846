/**
 * Import tokens: each lets key material that is wrapped under one wrapping key into one KMS key, for a day. They are sealed by the HSM of
 * the region, and stored nowhere.
 */
import { Failure } from '../errors.ts'
import type { WrappingAlgorithm } from '../model/keys/wrapping-algorithm.ts'
import { sealToken, unsealToken, type Vault } from './sealed-tokens.ts'

/** Milliseconds: KMS API Reference, "GetParametersForImport". */
export const importTokenLifetime = 24 * 60 * 60 * 1000

export interface ImportToken {
  readonly keyArn: string
  /** Id of the object of the wrapping key. */
  readonly wrappingKey: string
  readonly algorithm: WrappingAlgorithm
  /** Milliseconds since the epoch. */
  readonly validTo: number
}

/** Bound to the KMS key. */
function contextOf(keyArn: string) {
  return { purpose: 'import token', keyArn }
}

/** Resolves to the bytes of a token. Rejects with KeyUnavailable if the HSM has no seal key. */
export async function sealImportToken(token: ImportToken, hsm: string, vault: Vault): Promise<Uint8Array> {
  const { keyArn, wrappingKey, algorithm, validTo } = token
  const plaintext = Buffer.from(JSON.stringify([wrappingKey, algorithm, validTo]))
  return Buffer.from(await sealToken(plaintext, contextOf(keyArn), hsm, vault), 'base64url')
}

/** Rejects with InvalidImportToken unless this installation made it for the KMS key, with ExpiredImportToken if its time is over. */
export async function unsealImportToken(
  token: Uint8Array,
  keyArn: string,
  now: number,
  vault: Vault,
): Promise<ImportToken> {
  const text = Buffer.from(token).toString('base64url')
  const plaintext = await unsealToken(text, contextOf(keyArn), vault)
  if (plaintext === undefined) throw new Failure('InvalidImportToken')
  const [wrappingKey, algorithm, validTo] = JSON.parse(Buffer.from(plaintext).toString()) as [
    string,
    WrappingAlgorithm,
    number,
  ]
  if (now >= validTo) throw new Failure('ExpiredImportToken')
  return { keyArn, wrappingKey, algorithm, validTo }
}
