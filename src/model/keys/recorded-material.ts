/** Key material, as audit records name it. */
import type { Key, KeyMaterial, KeyObject } from './key.ts'

export interface RecordedMaterial {
  /** CloudTrail's additionalEventData: material IDs, of symmetric encryption keys only; the custom key store, and the external key in it. */
  readonly ids: Readonly<Record<string, string>>
  /** Where it is held, and how it is known there. */
  readonly held: Readonly<Record<string, string | number | boolean>>
}

/** The same material comes back with every request. */
const known = new WeakMap<KeyMaterial, RecordedMaterial>()

/** Undefined for material that is not on an HSM. */
export function recordedMaterial(
  { spec, customKeyStoreId, xksKeyId }: Pick<Key, 'spec' | 'customKeyStoreId' | 'xksKeyId'>,
  material: KeyMaterial | undefined,
): RecordedMaterial | undefined {
  const { id, object } = material ?? {}
  if (object === undefined) return undefined
  let recorded = known.get(material!)
  if (recorded === undefined) {
    const ids = {
      ...(customKeyStoreId !== undefined && { customKeyStoreId }),
      ...(xksKeyId !== undefined && { xksKeyId }),
      ...(spec === 'SYMMETRIC_DEFAULT' && { keyMaterialId: id! }),
    }
    recorded = { ids, held: heldBy(object) }
    known.set(material!, recorded)
  }
  return recorded
}

/** The materials of ReEncrypt, with names of their own. */
export function recordedPair(
  source: RecordedMaterial | undefined,
  destination: RecordedMaterial | undefined,
): RecordedMaterial {
  return {
    ids: { ...prefixed('source', source?.ids), ...prefixed('destination', destination?.ids) },
    held: { ...prefixed('source', source?.held), ...prefixed('destination', destination?.held) },
  }
}

function prefixed<V>(prefix: string, members: Readonly<Record<string, V>> = {}): Record<string, V> {
  const entries = Object.entries(members).map(([name, value]) => [
    `${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`,
    value,
  ])
  return Object.fromEntries(entries)
}

/**
 * `custody` is the version of the proof that an object is the key of its record: see proofVersion. Where the key can be wrapped for other HSMs, or
 * was, its record says so: see Custody.
 */
export function heldBy(object: KeyObject): RecordedMaterial['held'] {
  const { wrapWithTrusted, transferredFrom } = object.custody
  return {
    hsm: object.hsm,
    custody: proofVersion(object),
    ...(wrapWithTrusted && { wrapWithTrusted }),
    ...(transferredFrom !== undefined && { transferredFrom }),
  }
}

/**
 * By which proof the checks of custody know an object: 1 by a check value that only the key can make, or by its public key (hsm/token/proof.ts);
 * 0 by its CKA_ID and attributes only, as in records of older versions.
 */
function proofVersion({ checkValue, publicKey }: KeyObject): 0 | 1 {
  return checkValue === undefined && publicKey === undefined ? 0 : 1
}
