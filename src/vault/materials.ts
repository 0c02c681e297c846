import { checkKeyKind, type WhyNot, whyNotAnywhere } from '../model/keys/ability.ts'
import { currentMaterial, type Key, type KeyMaterial } from '../model/keys/key.ts'
import type { Hsm, HsmKey, Hsms } from '../services.ts'

/**
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
