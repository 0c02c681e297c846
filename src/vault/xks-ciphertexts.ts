/**
 * Encryption as an XKS proxy: AES-256-GCM, checked by a decryption before it is answered. XKS Proxy API Specification 1.0.3, "Encrypt" and
 * "Decrypt".
 *
 * The ciphertextMetadata names the key material, and is authenticated as part of the AAD:
 *
 *     version (1), now 1 | first bytes of the KeyMaterialId (16)
 */
import { Failure } from '../errors.ts'
import { currentMaterial, type Key, type KeyMaterial, objectOf } from '../model/keys/key.ts'
import { hsmAad, sampleProxyAad } from '../model/xks/integrity.ts'
import { tagLength } from '../model/xks/limits.ts'
import type { Hsms } from '../services.ts'
import { countEncryption, type Vault } from './ciphertexts.ts'

export interface XksCiphertext {
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
  readonly tag: Uint8Array
  readonly metadata?: Uint8Array | undefined
}

const version = 1
const idLength = 16
const none = new Uint8Array()

/**
 * With the current material of the key. Counted, as every encryption: see ciphertexts.ts.
 *
 * @returns also the ciphertextDataIntegrityValue, computed before the check
 */
export async function encryptAsProxy(
  vault: Vault,
  key: Key,
  plaintext: Uint8Array,
  aad: Uint8Array = none,
): Promise<XksCiphertext & { readonly metadata: Uint8Array; readonly integrityValue: Uint8Array }> {
  const material = currentMaterial(key)
  const object = objectOf(material)
  const hsm = vault.hsms.named(object.hsm)
  const metadata = metadataOf(material)
  const counting = countEncryption(vault, material)
  if (counting) await counting
  const hashed = Buffer.concat([aad, metadata])
  const sealed = await hsm.encryptChecked(object.id, plaintext, hsmAad(aad, metadata), hashed)
  const end = sealed.ciphertext.length - tagLength
  return {
    iv: sealed.iv,
    ciphertext: sealed.ciphertext.subarray(0, end),
    tag: sealed.ciphertext.subarray(end),
    metadata,
    integrityValue: sealed.digest,
  }
}

/**
 * With the material that the metadata names. Rejects with InvalidCiphertext whatever is wrong with the ciphertext, its metadata or the AAD.
 *
 * @param options.sampleProxyAad whether ciphertexts of AWS's sample proxy are decrypted as well, whose metadata names no material of ours
 */
export async function decryptAsProxy(
  hsms: Hsms,
  key: Key,
  { iv, ciphertext, tag, metadata }: XksCiphertext,
  aad: Uint8Array | undefined,
  options: { readonly sampleProxyAad: boolean },
): Promise<Uint8Array> {
  const sealed = { iv, ciphertext: Buffer.concat([ciphertext, tag]) }
  const open = (material: KeyMaterial, hsmAad: Uint8Array) => {
    const object = objectOf(material)
    return hsms.named(object.hsm).decrypt(object.id, sealed, hsmAad)
  }
  const named = materialNamedBy(metadata, key)
  if (named) return open(named, hsmAad(aad, metadata))
  if (!options.sampleProxyAad) throw new Failure('InvalidCiphertext')
  const imported = key.materials.filter(({ imported }) => imported !== undefined)
  return openWithAny(imported, material => open(material, sampleProxyAad(aad, metadata)))
}

/** Undefined if the metadata, of whatever origin, names no material of the key. */
export function materialNamedBy(metadata: Uint8Array | undefined, { materials }: Key): KeyMaterial | undefined {
  return metadata && materials.find(material => metadataOf(material).equals(metadata))
}

/** The first one came from the HSM of the sample proxy, unless its key was imported by a rotation. */
async function openWithAny(
  [first, ...others]: readonly KeyMaterial[],
  open: (material: KeyMaterial) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  if (first === undefined) throw new Failure('InvalidCiphertext')
  try {
    return await open(first)
  } catch (thrown) {
    const isOther = thrown instanceof Failure && thrown.code === 'InvalidCiphertext'
    if (!isOther || others.length === 0) throw thrown
    return openWithAny(others, open)
  }
}

function metadataOf({ id }: KeyMaterial): Buffer {
  return Buffer.concat([Buffer.of(version), Buffer.from(id.slice(0, 2 * idLength), 'hex')])
}
