import type { KeyMaterial } from '../model/key.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { Hsm } from '../services.ts'

/** CKA_LABEL is for the people who look at the HSM: nothing is ever found by it. */
export async function createMaterial(
  hsm: Hsm,
  spec: SupportedKeySpec,
  label: string,
  createdAt: number,
): Promise<KeyMaterial> {
  const id = Buffer.from(await hsm.random(32)).toString('hex')
  const custody = await hsm.generateKey(id, spec, label)
  return { id, hsm: hsm.name, custody, createdAt }
}
