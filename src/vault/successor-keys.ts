/** Manual rotation: KMS Developer Guide, "Rotate keys manually". */
import { randomUUID } from 'node:crypto'
import { keyArn } from '../model/arn.ts'
import { checkKeyKind } from '../model/keys/ability.ts'
import { type Key, objectsOf } from '../model/keys/key.ts'
import { rotationFrom } from '../model/keys/rotation.ts'
import type { Changes, Services } from '../services.ts'
import { createMaterial } from './materials.ts'

/** Throws UnsupportedOperation, without calling an HSM, if the region no longer supports such keys. */
export function checkSuccessor({ region, spec, usage }: Key, hsms: Services['hsms']): void {
  checkKeyKind(ability => hsms.ofRegion(region).whyUnsupported(ability), spec, usage)
}

type Means = Pick<Services, 'hsms' | 'clock'> & { readonly changes: Changes }

/**
 * The record of a new key that is like another one, but for its id and its key material, which is generated on the HSM of the region; that of
 * an imported key is imported later. A policy that names the other key by its id names the new one instead. Grants are not copied: whoever may
 * retire or revoke one knows it by its id and its key.
 */
export async function createSuccessor(key: Key, { hsms, clock, changes }: Means): Promise<Key> {
  const { account, region, spec, usage, origin, description, tags, policyPrincipals, automaticRotation } = key
  const id = randomUUID()
  const arn = keyArn(key, id)
  const materials = origin === 'EXTERNAL' ? [] : [await createMaterial(hsms.ofRegion(region), key, arn, clock())]
  changes.created.push(...objectsOf({ materials }))
  const creationDate = materials[0]?.createdAt ?? clock()
  return {
    ...{ arn, id, account, region, spec, usage, origin, description, tags, policyPrincipals, materials, creationDate },
    state: 'Enabled',
    policy: key.policy.replaceAll(key.id, id),
    automaticRotation: automaticRotation && rotationFrom(creationDate, automaticRotation.periodInDays),
    revision: 0,
  }
}
