import { checkKeyKind, type WhyNot, whyNotAnywhere } from '../model/keys/ability.ts'
import { currentMaterial, type Destruction, type Key, type KeyMaterial } from '../model/keys/key.ts'
import type { Hsm, HsmKey, Hsms, JobServices } from '../services.ts'
import { Changes } from '../storage/storage.ts'

/** By which a change that no request asked for is committed, together with its audit record. */
export type Recorder = Pick<JobServices, 'audit'> & { readonly outbox: Pick<JobServices['outbox'], 'record'> }

/**
 * Creates an HSM object for a key. It comes before the commit of its record: where that fails, the object is an orphan that a job reports.
 * Rejects with UnsupportedOperation, without asking the HSM, when it is known not to make such keys.
 *
 * @param label CKA_LABEL, for the people who look at the HSM: nothing is ever found by it
 */
export async function createMaterial(
  hsm: Hsm,
  { spec, usage }: Pick<Key, 'spec' | 'usage'>,
  label: string,
  createdAt: number,
): Promise<KeyMaterial> {
  checkKeyKind(ability => hsm.whyNot(ability), spec, usage)
  const id = Buffer.from(await hsm.random(32)).toString('hex')
  const { custody, publicKey, checkValue } = await hsm.generateKey(id, spec, usage, label)
  return { id, hsm: hsm.name, custody, publicKey, checkValue, createdAt }
}

/** Has the materials of a key destroyed once the changes, by which the key is forgotten, are committed. */
export function markForDestruction(changes: Changes, { arn, materials }: Pick<Key, 'arn' | 'materials'>): void {
  for (const { id, hsm } of materials) changes.put('destructions', { material: id, hsm, keyArn: arn, revision: 0 })
}

/**
 * Destroys an HSM object that was marked, and records that. Rejects when one of the two fails: both can be done again, as what is
 * not there counts as destroyed.
 */
export async function destroyMaterial(
  destruction: Destruction,
  { hsms, audit, outbox }: Pick<JobServices, 'hsms'> & Recorder,
): Promise<void> {
  const { material, hsm, keyArn } = destruction
  await hsms.named(hsm).destroyKey(material)
  const event = audit.event('DestroyKeyMaterial', keyArn, { keyMaterialId: material, hsm })
  const changes = new Changes()
  changes.remove('destructions', destruction)
  await outbox.record(changes, event)
}

/** A material of a key as its HSM knows it. */
export function hsmKey({ spec }: Pick<Key, 'spec'>, { id, publicKey }: KeyMaterial): HsmKey {
  return { material: id, spec, publicKey }
}

/** The current material of a key, and the HSM that holds it. */
export function held(hsms: Hsms, key: Key): { readonly hsm: Hsm; readonly hsmKey: HsmKey } {
  const material = currentMaterial(key)
  return { hsm: hsms.named(material.hsm), hsmKey: hsmKey(key, material) }
}

/** Why the HSM that holds a key cannot do something, also where the configuration does not name that HSM any more. */
export function whyNotWith(hsms: Hsms, key: Key): WhyNot {
  const hsm = hsms.all.find(({ name }) => name === currentMaterial(key).hsm)
  return hsm === undefined ? whyNotAnywhere : ability => hsm.whyNot(ability)
}
