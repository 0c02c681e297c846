/** Inspects the object of a key: that there is exactly one, that it is the same key, and that its attributes protect it. */
import type { HeldKey, KeyInspection } from '../hsm.ts'
import type { Handle } from './cryptoki.ts'
import { custodyFaults } from './custody.ts'
import { readCustody } from './key-generation.ts'
import { isSameKey, type ObjectInUse } from './proof.ts'

/** @param found every object with the CKA_ID of the key */
export async function inspectObjects(
  access: Omit<ObjectInUse, 'key'>,
  found: readonly Handle[],
  key: HeldKey,
): Promise<KeyInspection> {
  const [object, other] = found
  if (object === undefined) return { fault: 'missing' }
  if (other !== undefined) return { fault: 'duplicate' }
  if (!(await isSameKey({ ...access, key: object }, key))) return { fault: 'wrong_key' }
  const custody = readCustody(access.cryptoki, access.session, object, access.profile)
  const attributes = custodyFaults(custody, key)
  return attributes.length === 0 ? {} : { fault: 'wrong_attributes', attributes }
}
