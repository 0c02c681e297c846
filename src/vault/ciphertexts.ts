import { hash } from 'node:crypto'
import type { EncryptionAlgorithmSpec } from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import {
  type BlobFormat,
  decodeCiphertext,
  decodeInner,
  encodeCiphertext,
  encodeExternal,
  encodeHeader,
  encodeInner,
} from '../model/keys/ciphertext.ts'
import { type EncryptionContext, encodeEncryptionContext } from '../model/keys/encryption-context.ts'
import { encryptionLimit } from '../model/keys/encryption-limit.ts'
import { currentMaterial, type Key, type KeyMaterial, objectOf } from '../model/keys/key.ts'
import type { ExternalKeys, Hsms, Services } from '../services.ts'
import { held, hsmKey } from './materials.ts'

/**
 * Encryption as in KMS. Symmetric: a ciphertext blob, bound to its key material and to its encryption context. Asymmetric: only the block
 * of the algorithm, so that anyone with the public key can encrypt, too.
 */

/** What encrypts: HSMs, and storage, which counts the encryptions. */
export type Vault = Pick<Services, 'storage' | 'hsms'>

/** What encrypts for a call. */
export type VaultOfCall = Vault & { readonly externalKeys: ExternalKeys }

export function encryptWith(
  vault: VaultOfCall,
  key: Key,
  algorithm: EncryptionAlgorithmSpec,
  plaintext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  if (algorithm === 'SYMMETRIC_DEFAULT')
    return key.xksKeyId === undefined
      ? encryptBlob(vault, currentMaterial(key), plaintext, context)
      : encryptTwice(vault, key, plaintext, context)
  const { hsm, hsmKey } = held(vault.hsms, key)
  return hsm.encryptRaw(hsmKey, algorithm, plaintext)
}

interface Decryptor {
  readonly key: Key
  /** The material named by the blob. */
  readonly material: KeyMaterial
  readonly algorithm: EncryptionAlgorithmSpec
}

/**
 * Rejects with InvalidCiphertext, without text, whatever the reason: damage, another context, another key. With an external key, it is
 * InvalidState with AWS's text if the external key refuses the ciphertext.
 */
export function decryptWith(
  { hsms, externalKeys }: Pick<VaultOfCall, 'hsms' | 'externalKeys'>,
  { key, material, algorithm }: Decryptor,
  ciphertext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  if (algorithm === 'SYMMETRIC_DEFAULT')
    return key.xksKeyId === undefined
      ? decryptBlob(hsms, material, ciphertext, context)
      : decryptTwice({ hsms, externalKeys }, { key, material }, ciphertext, context)
  const object = objectOf(material)
  return hsms.named(object.hsm).decryptRaw(hsmKey(key, object), algorithm, ciphertext)
}

export async function encryptBlob(
  vault: Vault,
  material: KeyMaterial,
  plaintext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  const { header, iv, ciphertext } = await encrypt(vault, 1, material, plaintext, context)
  return encodeCiphertext(header, iv, ciphertext)
}

/**
 * Every encryption with AES-GCM. Counted whether it succeeds or not; one that is repeated on another HSM worker is counted once. Rejects with
 * LimitExceeded once the material has encrypted as many messages as it may, whoever its key belongs to.
 */
async function encrypt(
  vault: Vault,
  format: BlobFormat,
  material: KeyMaterial,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
) {
  const object = objectOf(material)
  const hsm = vault.hsms.named(object.hsm)
  const { ivLength } = hsm
  const header = encodeHeader(material.id, ivLength, format)
  const counting = countEncryption(vault, material)
  if (counting) await counting
  const aad = additionalData(header, context)
  const { iv, ciphertext } = await hsm.encrypt(object.id, plaintext, aad, ivLength)
  return { header, aad, iv, ciphertext }
}

/**
 * With the key material on our own HSM, and what comes of that with the external key: neither side alone can decrypt it, and no plaintext
 * leaves the gateway. KMS Developer Guide, "External key stores", "Double encryption".
 */
async function encryptTwice(
  vault: VaultOfCall,
  key: Key,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
): Promise<Uint8Array> {
  const { header, aad, iv, ciphertext } = await encrypt(vault, 2, currentMaterial(key), plaintext, context)
  return encodeExternal(header, await vault.externalKeys.encrypt(key, encodeInner(header, iv, ciphertext), digest(aad)))
}

async function decryptTwice(
  { hsms, externalKeys }: Pick<VaultOfCall, 'hsms' | 'externalKeys'>,
  { key, material }: Pick<Decryptor, 'key' | 'material'>,
  blob: Uint8Array,
  context: EncryptionContext | undefined,
): Promise<Uint8Array> {
  const decoded = decodeCiphertext(blob)
  if (decoded.format !== 2) throw new Failure('InvalidCiphertext')
  const { header, external } = decoded
  const aad = additionalData(header, context)
  const inner = await externalKeys.decrypt(key, external, digest(aad))
  const object = objectOf(material)
  try {
    return await hsms.named(object.hsm).decrypt(object.id, decodeInner(header, inner), aad)
  } catch (thrown) {
    throw thrown instanceof Failure && thrown.code === 'InvalidCiphertext'
      ? new Failure('InvalidState', wrongInner, { cause: thrown })
      : thrown
  }
}

/** KMS Developer Guide, "Troubleshooting external key stores", "Decryption errors". */
const wrongInner =
  'The ciphertext that the external key store proxy submitted for decryption, or the encryption context, is corrupted, missing, or otherwise invalid.'

/** The AAD of the external key: as short as any proxy takes it, however long the encryption context is. */
function digest(aad: Uint8Array): Uint8Array {
  return hash('sha256', aad, 'buffer')
}

/** Before each encryption: see encrypt. Not a promise unless the count must be written first. */
export function countEncryption(
  { storage: { encryptions } }: Pick<Vault, 'storage'>,
  material: KeyMaterial,
): Promise<void> | undefined {
  if (encryptions.made(material.id) >= encryptionLimit) throw usedUp(material)
  return encryptions.count(material.id)
}

function usedUp({ id, imported }: KeyMaterial): Failure {
  const remedy = imported ? 'Import new key material and rotate the key on demand' : 'Rotate the key on demand'
  const text = `The key material ${id} has encrypted ${encryptionLimit} messages, as many as AES-GCM allows. ${remedy}, or use another key.`
  return new Failure('LimitExceeded', text)
}

/** @param material the one named by the blob */
export async function decryptBlob(
  hsms: Hsms,
  material: KeyMaterial,
  blob: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  const decoded = decodeCiphertext(blob)
  if (decoded.format !== 1) throw new Failure('InvalidCiphertext')
  const { header, iv, ciphertext } = decoded
  const object = objectOf(material)
  return hsms.named(object.hsm).decrypt(object.id, { iv, ciphertext }, additionalData(header, context))
}

function additionalData(header: Uint8Array, context: EncryptionContext | undefined): Uint8Array {
  return Buffer.concat([header, encodeEncryptionContext(context)])
}
