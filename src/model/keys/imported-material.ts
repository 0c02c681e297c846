/** Which key material may be imported into a KMS key, and what the key is afterwards: KMS API Reference, "ImportKeyMaterial". */
import { createHash } from 'node:crypto'
import type { KeyMetadata } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import {
  type ImportedMaterial,
  isMultiRegion,
  type Key,
  type KeyMaterial,
  type KeyObject,
  materialsOf,
  nextExpiry,
  objectsOf,
} from './key.ts'
import { stateApartFromStore } from './key-state.ts'

/**
 * KMS's KeyMaterialId of imported material: the same whenever the same material is imported into the same key, and into its replicas. In
 * emulator mode, keys of several accounts and Regions can have the same id, and the same material: a ciphertext must tell them apart.
 *
 * @param fingerprint of the material: see CreatedKey in hsm.ts
 */
export function importedMaterialId(key: Pick<Key, 'arn' | 'id'>, fingerprint: Uint8Array): string {
  const name = isMultiRegion(key) ? withoutRegion(key.arn) : key.arn
  return createHash('sha256').update(`strongroom key material\0${name}\0`).update(fingerprint).digest('hex')
}

/** The same for related multi-Region keys. */
function withoutRegion(arn: string): string {
  return arn.split(':').toSpliced(3, 1, '').join(':')
}

/** What a request says about the material, besides the material. */
export interface ImportRequest {
  readonly type?: 'NEW_KEY_MATERIAL' | 'EXISTING_KEY_MATERIAL' | undefined
  readonly materialId?: string | undefined
  readonly validTo?: number | undefined
  readonly description?: string | undefined
}

/**
 * Puts material that is on the HSM into a key. The first becomes the current one, another of a symmetric key is pending rotation, and one
 * that the key has had takes its place again. A replica key gets only what its primary key has, or had. Throws IncorrectKeyMaterial, or
 * InvalidState if another is pending rotation.
 *
 * @param now milliseconds since the epoch
 */
export function withImported(key: Key, id: string, object: KeyObject, request: ImportRequest, now: number): Key {
  const isFirst = key.materials.length === 0 && key.multiRegion !== 'REPLICA'
  const { type = isFirst ? 'NEW_KEY_MATERIAL' : 'EXISTING_KEY_MATERIAL', materialId } = request
  const known = materialsOf(key).find(material => material.id === id)
  if (materialId !== undefined && materialId !== id) throw incorrect('is not the one that the request names')
  if (type === 'EXISTING_KEY_MATERIAL') {
    const holder = key.multiRegion === 'REPLICA' ? 'the primary key of this replica key' : 'this KMS key'
    if (known === undefined) throw incorrect(`was not imported into ${holder} before`)
    return enabled(key, replaced(key, { ...known, object, imported: importedOf(request, known) }))
  }
  if (known !== undefined) throw incorrect('is already associated with this KMS key')
  const material = { id, createdAt: now, object, imported: importedOf(request) }
  if (key.materials.length === 0) return enabled(key, { ...key, materials: [material] })
  const { pendingMaterial } = key
  if (pendingMaterial === undefined) return { ...key, pendingMaterial: material }
  const text = `New key material (id: ${id}) cannot be imported into KMS key ${key.arn}, because another key material (id: ${pendingMaterial.id}) is pending rotation.`
  throw new Failure('InvalidState', text)
}

function importedOf({ validTo, description }: ImportRequest, before?: KeyMaterial): ImportedMaterial {
  return { validTo, description: description ?? before?.imported?.description }
}

function replaced(key: Key, material: KeyMaterial): Key {
  const replace = (other: KeyMaterial) => (other.id === material.id ? material : other)
  const { materials, pendingMaterial } = key
  return { ...key, materials: materials.map(replace), pendingMaterial: pendingMaterial && replace(pendingMaterial) }
}

type Expiration = Pick<KeyMetadata, 'ExpirationModel' | 'ValidTo'>

/** The import that completes the materials of a key enables it. If its object is the only one, nothing is wrong with another. */
function enabled(before: Key, key: Key): Key {
  const completed = stateApartFromStore(before) === 'PendingImport' && stateApartFromStore(key) !== 'PendingImport'
  const custodyFault = objectsOf(key).length === 1 ? undefined : key.custodyFault
  return { ...key, custodyFault, state: completed ? 'Enabled' : key.state }
}

function incorrect(reason: string): Failure {
  return new Failure('IncorrectKeyMaterial', `The key material ${reason}.`)
}

/**
 * A key without the object of some imported material. The material stays in the key, unless it is pending rotation; a replica key keeps even
 * that, as its primary key decides what is pending. KMS API Reference, "DeleteImportedKeyMaterial".
 */
export function withoutObject(key: Key, id: string): Key {
  const remove = (material: KeyMaterial): KeyMaterial =>
    material.id === id
      ? { ...material, object: undefined, imported: { ...material.imported, validTo: undefined } }
      : material
  const { materials, pendingMaterial } = key
  const after = {
    ...key,
    materials: materials.map(remove),
    pendingMaterial: isForgotten(key, id) ? undefined : pendingMaterial && remove(pendingMaterial),
  }
  return objectsOf(after).length === 0 ? { ...after, custodyFault: undefined } : after
}

/** Whether deleted material is not kept as one that can be imported again: it was pending rotation. */
export function isForgotten({ pendingMaterial, multiRegion }: Key, id: string): boolean {
  return pendingMaterial?.id === id && multiRegion !== 'REPLICA'
}

/** The regions, of related keys, that lack the material that is pending rotation: there is no rotation to it before all have it. */
export function regionsWithoutPending(keys: readonly Key[]): readonly string[] {
  return keys.filter(({ pendingMaterial }) => pendingMaterial?.object === undefined).map(({ region }) => region)
}

/** ExpirationModel and ValidTo of KeyMetadata: of the first material to expire. Recorded on AWS: absent while there is no material. */
export function expirationOf({ materials, origin }: Pick<Key, 'materials' | 'origin'>): Expiration {
  if (origin !== 'EXTERNAL' || objectsOf({ materials }).length === 0) return {}
  const validTo = nextExpiry({ materials })
  if (validTo === undefined) return { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
  return { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(validTo) }
}
