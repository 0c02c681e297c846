/** The transfer key of an HSM: an RSA key pair under which other HSMs wrap multi-Region keys for it. It unwraps, and does nothing else. */
import { fingerprintOf } from '../audit/checkpoint.ts'
import { type KeyObject, objectOf, type SystemKey } from '../model/keys/key.ts'
import type { Hsm, Services } from '../services.ts'
import type { Changes, Storage } from '../storage/storage.ts'
import { destroyUncommitted, heldKey, newObjectId, type Recorder } from './materials.ts'
import { systemKeyKinds } from './system-keys.ts'

const kind = systemKeyKinds.transfer

/** Undefined if the HSM has none. */
export function transferKey(hsm: string, { systemKeys }: Storage): KeyObject | undefined {
  const found = systemKeys.find(hsm, 'transfer')
  return found && objectOf(found.material)
}

/** Whether the transfer key is on the HSM, does what only it can do, and cannot leave. Rejects if there is no certain answer. */
export async function isTransferKeySound(hsm: Hsm, object: KeyObject): Promise<boolean> {
  const { fault } = await hsm.inspectKey(heldKey(kind, object), 'thorough')
  return fault === undefined
}

/**
 * Creates the transfer key of an HSM, with an audit record; or in place of one that is lost. Nobody has marked a new one as trusted yet.
 *
 * @param origin see createSystemKeys
 */
export async function createTransferKey(
  hsm: Hsm,
  { storage, hsms, clock, audit, outbox }: Pick<Services, 'storage' | 'hsms' | 'clock'> & Recorder,
  origin: object,
): Promise<KeyObject> {
  const { revision = 0 } = storage.systemKeys.find(hsm.name, 'transfer') ?? {}
  const details = { hsm: hsm.name, purpose: 'transfer', ...origin }
  const intent = audit.event('CreateSystemKey', undefined, details)
  const create = async (changes: Changes) => {
    const id = await newObjectId(hsm)
    const object = { id, hsm: hsm.name, ...(await hsm.createWrappingKey(id, kind.spec, 'strongroom transfer')) }
    changes.created.push(object)
    const systemKey: SystemKey = { purpose: 'transfer', material: { id, createdAt: clock(), object }, revision }
    changes.put('systemKeys', systemKey)
    const fingerprint = fingerprintOf(object.publicKey!)
    return { ...intent, additionalEventData: { ...details, keyMaterialId: id, fingerprint } }
  }
  await outbox.act(intent, create, changes => destroyUncommitted(changes, { hsms }))
  return transferKey(hsm.name, storage)!
}
