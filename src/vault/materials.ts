import { checkKeyKind, type WhyUnsupported, whyUnsupportedAnywhere } from '../model/keys/ability.ts'
import { keyStoreUnavailable } from '../model/keys/custom-key-store.ts'
import { importedMaterialId } from '../model/keys/imported-material.ts'
import { currentMaterial, type Key, type KeyMaterial, type KeyObject, objectOf, objectsOf } from '../model/keys/key.ts'
import { isTransferable } from '../model/keys/wrapping-algorithm.ts'
import type { HeldKey, Hsm, HsmKey, Hsms, JobServices, Services, WrappedMaterial } from '../services.ts'
import type { Changes } from '../storage/storage.ts'

/** Commits changes of the gateway itself, together with their audit records. */
export type Recorder = Pick<JobServices, 'audit'> & { readonly outbox: Pick<JobServices['outbox'], 'record' | 'act'> }

/**
 * Generates an HSM object for a key, before its record is committed: if that fails, a job reports the object as orphaned. Rejects with
 * UnsupportedOperation, without calling the HSM, if it is known not to support such keys.
 *
 * @param label CKA_LABEL, for information only
 */
export async function createMaterial(
  hsm: Hsm,
  { spec, usage, multiRegion }: Pick<Key, 'spec' | 'usage'> & Partial<Pick<Key, 'multiRegion'>>,
  label: string,
  createdAt: number,
): Promise<KeyMaterial> {
  checkKeyKind(ability => hsm.whyUnsupported(ability), spec, usage)
  const id = await newObjectId(hsm)
  const wrapWithTrusted = multiRegion !== undefined && isTransferable(spec) && mayTransfer(hsm)
  const created = await hsm.generateKey(id, spec, usage, label, wrapWithTrusted)
  return { id, createdAt, object: { id, hsm: hsm.name, ...created } }
}

/** Whether multi-Region keys of the HSM are created so that it can wrap them for others: see Custody. */
export function mayTransfer(hsm: Hsm): boolean {
  return hsm.transfersTo.length > 0 && hsm.whyUnsupported('WrapWithTrusted') === undefined
}

/**
 * The same with key material from outside, which comes in plaintext: see importKey in hsm.ts. Rejects with IncorrectKeyMaterial unless it is a key of that spec.
 *
 * @param bytes wiped
 */
export async function importMaterial(
  hsm: Hsm,
  key: Pick<Key, 'arn' | 'account' | 'id' | 'origin' | 'spec' | 'usage'>,
  createdAt: number,
  bytes: Uint8Array,
): Promise<KeyMaterial> {
  const { arn, origin, spec, usage } = key
  checkKeyKind(ability => hsm.whyUnsupported(ability), spec, usage)
  const id = await newObjectId(hsm)
  const { fingerprint, ...created } = await hsm.importKey(id, spec, usage, arn, bytes)
  const object = { id, hsm: hsm.name, ...created }
  if (origin !== 'EXTERNAL') return { id, createdAt, object }
  return { id: importedMaterialId(key, fingerprint!), createdAt, object, imported: {} }
}

/**
 * Unwraps key material of a caller on the HSM: see unwrapKey in hsm.ts. Rejects with InvalidCiphertext, or with IncorrectKeyMaterial unless
 * it is a key of that spec.
 *
 * @returns its object, and KMS's KeyMaterialId
 */
export async function unwrapMaterial(
  hsm: Hsm,
  key: Pick<Key, 'arn' | 'account' | 'id' | 'spec' | 'usage'>,
  wrapped: WrappedMaterial,
): Promise<{ readonly id: string; readonly object: KeyObject }> {
  const { arn, spec, usage } = key
  checkKeyKind(ability => hsm.whyUnsupported(ability), spec, usage)
  const objectId = await newObjectId(hsm)
  const { fingerprint, ...created } = await hsm.unwrapKey(objectId, spec, usage, arn, wrapped)
  return { id: importedMaterialId(key, fingerprint!), object: { id: objectId, hsm: hsm.name, ...created } }
}

export async function newObjectId(hsm: Hsm): Promise<string> {
  return Buffer.from(await hsm.random(32)).toString('hex')
}

/** Whether the object is on the HSM, is the key of its record, and is protected. Rejects if there is no certain answer. */
export async function isSound(hsms: Hsms, key: Pick<Key, 'spec' | 'usage'>, object: KeyObject): Promise<boolean> {
  const { fault } = await hsms.named(object.hsm).inspectKey(heldKey(key, object), 'thorough')
  return fault === undefined
}

/** An object as its record describes it, for the inspection by an HSM. */
export function heldKey(
  { spec, usage }: Pick<HeldKey, 'spec' | 'usage'>,
  { id, publicKey, checkValue, custody: { imported, wrapWithTrusted } }: KeyObject,
): HeldKey {
  return { object: id, spec, usage, publicKey, checkValue, imported, wrapWithTrusted }
}

/** Destroys what was created for changes that were certainly not committed. Never rejects: what it cannot destroy is reported as orphaned. */
export async function destroyUncommitted(
  { created }: Changes,
  { hsms }: { readonly hsms: Pick<Hsms, 'named'> },
): Promise<void> {
  await Promise.allSettled(created.map(({ id, hsm }) => hsms.named(hsm).destroyKey(id)))
}

/** An object of a key, for its HSM. */
export function hsmKey({ spec }: Pick<Key, 'spec'>, { id, publicKey }: KeyObject): HsmKey {
  return { object: id, spec, publicKey }
}

/** The current material of a key, and its HSM. */
export function held(hsms: Hsms, key: Key): { readonly hsm: Hsm; readonly hsmKey: HsmKey } {
  const object = objectOf(currentMaterial(key))
  return { hsm: hsms.named(object.hsm), hsmKey: hsmKey(key, object) }
}

type Stores = Pick<Services, 'hsms' | 'storage' | 'keyStores'>

/** The HSM that gets the material of a new key: that of its custom key store, if that is a CloudHSM cluster, or of its region. */
export function hsmOfNew(key: Pick<Key, 'region' | 'customKeyStoreId'>, { hsms, storage, keyStores }: Stores): Hsm {
  const cluster = storage.customKeyStores.ofKey(key)?.cloudHsm
  if (!cluster) return hsms.ofRegion(key.region)
  const name = keyStores.hsmOf(cluster.clusterId)
  if (name === undefined) throw keyStoreUnavailable(new Error(`no HSM has the clusterId ${cluster.clusterId}`))
  return hsms.named(name)
}

/** Why the HSM of a key does not support something, even if that HSM is not connected. Before the first import it is that of its region. */
export function whyUnsupportedOn(hsms: Hsms, key: Key): WhyUnsupported {
  const name = objectsOf(key).at(-1)?.hsm
  const isInRegion = name === undefined && key.customKeyStoreId === undefined
  const hsm = isInRegion ? hsms.ofRegion(key.region) : hsms.all.find(other => other.name === name)
  return hsm === undefined ? whyUnsupportedAnywhere : ability => hsm.whyUnsupported(ability)
}
