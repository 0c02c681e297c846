/** Wrapping keys: under which callers wrap the key material that they import. */
import { type Key, objectsOf, type WrappingKey } from '../model/keys/key.ts'
import type { WrappingKeySpec } from '../model/keys/wrapping-algorithm.ts'
import type { Changes, Hsm, Services, Storage } from '../services.ts'
import { markForDestruction } from './destruction.ts'
import { hsmOfNew, newObjectId } from './materials.ts'

/** Milliseconds. */
const dayLength = 24 * 60 * 60 * 1000

/**
 * The wrapping key of a KMS key for today; created, in the changes, by the first request of a day.
 */
export async function wrappingKeyOf(
  key: Key,
  spec: WrappingKeySpec,
  now: number,
  means: Pick<Services, 'storage' | 'hsms' | 'keyStores'> & { readonly changes: Changes },
): Promise<WrappingKey> {
  const { storage, changes } = means
  const wanted = { keyArn: key.arn, spec, day: Math.floor(now / dayLength) }
  const known = storage.wrappingKeys.ofDay(wanted)
  if (known) return known
  const hsm = importingHsm(key, means)
  const id = await newObjectId(hsm)
  const created = await hsm.createWrappingKey(id, spec, `strongroom wrapping key of ${key.id}`, key.spec)
  const wrappingKey = { ...wanted, object: { id, hsm: hsm.name, ...created }, revision: 0 }
  changes.created.push(wrappingKey.object)
  changes.put('wrappingKeys', wrappingKey)
  return wrappingKey
}

/** The HSM that gets imported material: that of the material that the key has, before the first import that of a new key. */
export function importingHsm(key: Key, means: Pick<Services, 'storage' | 'hsms' | 'keyStores'>): Hsm {
  const name = objectsOf(key).at(-1)?.hsm
  return name === undefined ? hsmOfNew(key, means) : means.hsms.named(name)
}

/** Whether no import token for it is valid any more. */
export function isOutdated({ day }: WrappingKey, now: number): boolean {
  return now >= (day + 2) * dayLength
}

/** With their KMS key, in the changes that remove it. */
export function removeWrappingKeys(changes: Changes, keyArn: string, storage: Storage): void {
  for (const wrappingKey of storage.wrappingKeys.ofKey(keyArn)) {
    changes.remove('wrappingKeys', wrappingKey)
    markForDestruction(changes, [wrappingKey.object], { arn: keyArn }, storage)
  }
}
