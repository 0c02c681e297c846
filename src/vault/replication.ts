/**
 * Key material of multi-Region keys on the HSMs of other regions, without ever being in the clear outside of a token: the other HSM holds the
 * same keys, or a transfer key of its own under which the first wraps the key.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../errors.ts'
import { checkKeyKind } from '../model/keys/ability.ts'
import { type Key, type KeyMaterial, type KeyObject, materialsOf, objectOf } from '../model/keys/key.ts'
import { isTransferable, type TransferAlgorithm, transferAlgorithms } from '../model/keys/wrapping-algorithm.ts'
import type { Changes, Hsm, Hsms, KeyInspection, Storage } from '../services.ts'
import { heldKey, mayTransfer, newObjectId } from './materials.ts'
import { systemKeyKinds } from './system-keys.ts'
import { transferKey } from './transfer-key.ts'

export interface ReplicationMeans {
  readonly hsms: Hsms
  readonly storage: Storage
  readonly changes: Changes
}

/** From one HSM to another. */
interface Way {
  readonly from: Hsm
  readonly to: Hsm
}

/** Milliseconds between looks for a new key that the vendor is replicating to the other HSM: 3 seconds in total. */
const pauses = [50, 100, 200, 400, 750, 1500]

/**
 * The object of the key material on the HSM of another region: that of a related key, the same object if that HSM holds the same keys, or a
 * copy, which is added to `changes.created`. Rejects with UnsupportedOperation, which says why, if it cannot be there, and with KeyUnavailable
 * if an HSM is away, or does not have a new key yet.
 *
 * @param key that has the material
 */
export async function replicateMaterial(
  key: Key,
  material: KeyMaterial,
  target: Hsm,
  { hsms, storage, changes }: ReplicationMeans,
): Promise<KeyObject> {
  const related = storage.keys.related(key).flatMap(materialsOf)
  const sources = [material, ...related.filter(({ id, object }) => id === material.id && object)].map(objectOf)
  const present = sources.find(({ hsm }) => hsm === target.name)
  if (present !== undefined) return present
  checkKeyKind(ability => target.whyUnsupported(ability), key.spec, key.usage)
  for (const source of sources) {
    if (await holdsKeysOf(source.hsm, target, storage)) return sameObject(key, source, target)
  }
  const may = hsms.all.filter(({ transfersTo }) => transfersTo.includes(target.name)).map(({ name }) => name)
  const source = sources.find(({ hsm }) => may.includes(hsm)) ?? objectOf(material)
  const copy = await transferred(key, source, { from: hsms.named(source.hsm), to: target }, storage)
  changes.created.push(copy)
  return copy
}

/** Whether an HSM has the canary key of another: then both lead to the same keys. */
async function holdsKeysOf(hsm: string, target: Hsm, { systemKeys }: Storage): Promise<boolean> {
  const canary = systemKeys.find(hsm, 'canary')
  if (canary === undefined) return false
  const object = objectOf(canary.material)
  if (object.checkValue === undefined) return false
  const { fault } = await target.inspectKey(heldKey(systemKeyKinds.canary, object), 'quick')
  return fault !== 'missing' && fault !== 'wrong_key'
}

/** Proved by the check value, or by the public key. */
async function sameObject(key: Key, source: KeyObject, target: Hsm): Promise<KeyObject> {
  let inspection: KeyInspection = await target.inspectKey(heldKey(key, source), 'quick')
  for (const pause of pauses) {
    if (inspection.fault !== 'missing') break
    await delay(pause)
    inspection = await target.inspectKey(heldKey(key, source), 'quick')
  }
  const { fault } = inspection
  if (fault === undefined) return { ...source, hsm: target.name }
  const names = `The HSM ${target.name} has the keys of the HSM ${source.hsm}`
  if (fault === 'missing') throw new Failure('KeyUnavailable', `${names}, but not yet that of ${key.arn}.`)
  throw new Failure(
    'UnsupportedOperation',
    `${names}, but that of ${key.arn} fails its custody check there (${fault}).`,
  )
}

/** A new object, as the CKA_ID of the source names that object, whatever HSM it is on. */
async function transferred(key: Key, source: KeyObject, way: Way, storage: Storage): Promise<KeyObject> {
  const { from, to } = way
  const { spec, usage } = key
  const { wrappingKey, algorithm } = meansOfTransfer(key, source, way, storage)
  const bytes = await from.wrapKey(source.id, wrappingKey.publicKey!, algorithm)
  if (bytes === undefined)
    throw refusal(key, way, `${from.name} does not trust the transfer key of ${to.name}${trustIt(way)}`)
  const id = await newObjectId(to)
  const wrapped = { wrappingKey: wrappingKey.id, wrappingSpec: systemKeyKinds.transfer.spec, algorithm, bytes }
  const { custody } = await to
    .receiveKey(id, spec, usage, key.arn, wrapped, mayTransfer(to))
    .catch((error: unknown) => {
      if (!(error instanceof Failure) || !misfits.has(error.code)) throw error
      const cause = new Error(`the HSM ${to.name} does not unwrap what ${from.name} has wrapped`, { cause: error })
      throw refusal(key, way, `its transfer key is missing there, or another one${trustIt(way)}`, cause)
    })
  const { checkValue, publicKey } = source
  const copy = { id, hsm: to.name, custody: { ...custody, transferredFrom: from.name }, checkValue, publicKey }
  const { fault } = await to.inspectKey(heldKey(key, copy), 'quick')
  if (fault === undefined) return copy
  await to.destroyKey(id)
  throw new Failure('Internal', '', {
    cause: new Error(`the copy on ${to.name} is not the key of ${from.name}: ${fault}`),
  })
}

/** Throws UnsupportedOperation. */
function meansOfTransfer(
  key: Key,
  source: KeyObject,
  way: Way,
  storage: Storage,
): { readonly wrappingKey: KeyObject; readonly algorithm: TransferAlgorithm } {
  const { from, to } = way
  if (!from.transfersTo.includes(to.name))
    throw refusal(
      key,
      way,
      `transfers from ${from.name} to ${to.name} are not in multiRegion.transfers of the configuration`,
    )
  if (!isTransferable(key.spec))
    throw refusal(key, way, `only symmetric and HMAC keys can be transferred, and key spec ${key.spec} is neither`)
  const lack = from.whyUnsupported('WrapWithTrusted')
  if (lack !== undefined) throw refusal(key, way, `${from.name} does not protect keys that can be transferred: ${lack}`)
  if (!source.custody.wrapWithTrusted)
    throw refusal(key, way, `it was created when ${from.name} had no transfers, and cannot leave: create a new key`)
  const wrappingKey = transferKey(to.name, storage)
  if (wrappingKey === undefined) throw refusal(key, way, `${to.name} has no transfer key${trustIt(way)}`)
  const lacks = (algorithm: TransferAlgorithm) =>
    [from, to].some(hsm => hsm.whyUnsupported(`Transfer under ${algorithm}`) !== undefined)
  const algorithm = transferAlgorithms.find(name => !lacks(name))
  if (algorithm === undefined) throw refusal(key, way, `they have no RSAES-OAEP in common`)
  return { wrappingKey, algorithm }
}

function trustIt({ from, to }: Way): string {
  return `: run strongroom multi-region trust --from ${from.name} --to ${to.name}`
}

/** Codes of receiveKey that mean that the transfer key is not the one under which the key was wrapped. */
const misfits: ReadonlySet<string> = new Set(['InvalidState', 'InvalidCiphertext', 'IncorrectKeyMaterial'])

function refusal({ arn }: Key, { from, to }: Way, reason: string, cause?: Error): Failure {
  const text = `The key material of ${arn} is on HSM ${from.name}, and cannot be brought to HSM ${to.name}, which holds other keys: ${reason}.`
  return new Failure('UnsupportedOperation', text, { cause })
}
