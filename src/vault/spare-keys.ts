/** Spare keys: RSA keys generated ahead, so that CreateKey does not wait for the search for two primes. In emulator mode only. */
import { randomInt } from 'node:crypto'
import { type Key, type KeyMaterial, objectOf, type SpareKey } from '../model/keys/key.ts'
import type { Hsm } from '../services.ts'
import { Changes, type Storage } from '../storage/storage.ts'
import { markForDestruction } from './destruction.ts'
import { createMaterial, destroyUncommitted, type Recorder } from './materials.ts'

type Kind = Pick<Key, 'spec' | 'usage'>

/** Other keys are generated in milliseconds, or seldom. */
export const spareKinds: readonly Kind[] = [
  { spec: 'RSA_2048', usage: 'SIGN_VERIFY' },
  { spec: 'RSA_2048', usage: 'ENCRYPT_DECRYPT' },
]

export function sparesOf(hsm: string, { spec, usage }: Kind, { spareKeys }: Storage): readonly SpareKey[] {
  return spareKeys.onHsm(hsm).filter(spare => spare.spec === spec && spare.usage === usage)
}

/**
 * Takes one for a new key, in the changes that create that key: of two requests that take the same one, only one is committed. Any of them,
 * so that this is rare. Undefined if there is none.
 */
export function takeSpare(
  hsm: string,
  kind: Kind,
  createdAt: number,
  { storage, changes }: { readonly storage: Storage; readonly changes: Changes },
): KeyMaterial | undefined {
  const spares = sparesOf(hsm, kind, storage)
  if (spares.length === 0) return undefined
  const spare = spares[randomInt(spares.length)]!
  changes.remove('spareKeys', spare)
  return { id: spare.object.id, createdAt, object: spare.object }
}

export async function makeSpare(hsm: Hsm, kind: Kind, { audit, outbox }: Recorder): Promise<void> {
  const intent = audit.event('CreateSpareKey', undefined, { hsm: hsm.name, ...kind })
  const create = async (changes: Changes) => {
    const object = objectOf(await createMaterial(hsm, kind, 'strongroom spare', 0))
    changes.created.push(object)
    changes.put('spareKeys', { ...kind, object, revision: 0 })
    return { ...intent, additionalEventData: detailsOf({ ...kind, object }) }
  }
  await outbox.act(intent, create, changes => destroyUncommitted(changes, { hsms: { named: () => hsm } }))
}

/**
 * No key will get it.
 *
 * @param destroy its HSM object, too, by the job that deletes keys; not if that may be another key
 */
export async function dropSpare(
  spare: SpareKey,
  destroy: boolean,
  { storage, audit, outbox }: Recorder & { readonly storage: Storage },
): Promise<void> {
  const changes = new Changes()
  changes.remove('spareKeys', spare)
  if (destroy) markForDestruction(changes, [spare.object], undefined, storage)
  await outbox.record(changes, audit.event('DropSpareKey', undefined, detailsOf(spare)))
}

function detailsOf({ spec, usage, object }: Omit<SpareKey, 'revision'>): Readonly<Record<string, unknown>> {
  return { hsm: object.hsm, objectId: object.id, spec, usage }
}
