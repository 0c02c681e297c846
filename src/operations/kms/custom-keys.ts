/** Keys of a given id and material, as LocalStack makes them from tags of CreateKey: in emulator mode only. */
import { createPrivateKey } from 'node:crypto'
import { Failure } from '../../errors.ts'
import { isKeyId } from '../../model/arn.ts'
import { isMultiRegion, type Key, type KeyMaterial, type Tag } from '../../model/keys/key.ts'
import { type KeySpecRow, keySpecs } from '../../model/keys/key-spec.ts'
import { keyMaterialTag, withoutKeyMaterial } from '../../model/keys/tags.ts'
import type { Hsm } from '../../services.ts'
import { importMaterial } from '../../vault/materials.ts'

/** Kept as a tag, as LocalStack does. */
const idTag = '_custom_id_'

interface CustomKey {
  readonly id: string | undefined
  /** Base64. */
  readonly material: string | undefined
  /** The tags to keep. */
  readonly tags: readonly Tag[]
}

/** Throws Validation for an id that no key can have, InvalidTag for two materials. */
export function customKey(tags: readonly Tag[], multiRegion: boolean): CustomKey {
  const id = tags.find(({ TagKey }) => TagKey === idTag)?.TagValue
  if (id !== undefined && !(isKeyId(id) && isMultiRegion({ id }) === multiRegion)) {
    const form = multiRegion ? 'mrk- and 32 hexadecimal digits in lower case, as of a multi-Region key' : 'a UUID'
    throw new Failure('Validation', `The value of the tag ${idTag} is not ${form}.`)
  }
  const materials = tags.filter(({ TagKey }) => TagKey === keyMaterialTag)
  if (materials.length > 1) throw new Failure('InvalidTag', 'Duplicate tag keys')
  return { id, material: materials[0]?.TagValue, tags: withoutKeyMaterial(tags) }
}

/**
 * Brings it onto the HSM. Throws Validation, which never shows it, for anything but a key of that spec.
 *
 * @param text base64 of an AES or HMAC key, or of a private key in DER: PKCS #8, PKCS #1 or SEC 1
 */
export async function importCustomMaterial(
  hsm: Hsm,
  key: Pick<Key, 'arn' | 'account' | 'id' | 'origin' | 'spec' | 'usage'>,
  createdAt: number,
  text: string,
): Promise<KeyMaterial> {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text)
    throw new Failure('Validation', `The value of the tag ${keyMaterialTag} is not base64.`)
  try {
    return await importMaterial(hsm, key, createdAt, normal(bytes, keySpecs[key.spec]))
  } catch (error) {
    if (error instanceof Failure && error.code === 'IncorrectKeyMaterial')
      throw new Failure('Validation', error.message)
    throw error
  } finally {
    bytes.fill(0)
  }
}

function normal(bytes: Buffer, { type, macAlgorithms }: KeySpecRow): Buffer {
  if (type === 'asymmetric') return pkcs8Of(bytes)
  return type === 'HMAC' ? lengthened(bytes, Number(macAlgorithms[0]!.slice(-3)) / 8) : bytes
}

/** HMAC pads short keys with zeros itself: RFC 2104, section 2. */
function lengthened(bytes: Buffer, length: number): Buffer {
  if (bytes.length === 0 || bytes.length >= length) return bytes
  return Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])
}

/** As it is, if it is in none of the other forms. */
function pkcs8Of(key: Buffer): Buffer {
  for (const type of ['sec1', 'pkcs1'] as const) {
    try {
      return createPrivateKey({ key, format: 'der', type }).export({ format: 'der', type: 'pkcs8' })
    } catch {
      // In another form, or no key.
    }
  }
  return key
}
