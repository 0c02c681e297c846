/** What a token has of the objects that a backup needs, and what it has besides. */
import type { CustodyFault } from '../model/keys/key.ts'
import type { Hsm, HsmObject, Hsms } from '../services.ts'
import { heldKeyOf, type NeededObject } from './needed-objects.ts'

export interface Comparison {
  /** Not on the HSM. */
  readonly missing: readonly NeededObject[]
  /** On the HSM, but not as the backup describes them: another key, or wrong attributes. */
  readonly faulty: readonly { readonly object: NeededObject; readonly fault: CustodyFault }[]
  /** On the HSM, but not in the backup: created since, or of another application. */
  readonly unknown: readonly (HsmObject & { readonly hsm: string })[]
  /** Of HSMs that are not connected, as those of custom key stores. */
  readonly unchecked: readonly NeededObject[]
}

/** Inspections at a time. */
const parallel = 8

/**
 * @param known CKA_IDs in hex of further objects that the backup knows, and can do without
 * Rejects if an HSM gives no certain answer.
 */
export async function compareWithTokens(
  needed: readonly NeededObject[],
  known: ReadonlySet<string>,
  hsms: Hsms,
): Promise<Comparison> {
  const connected = new Map(hsms.all.map(hsm => [hsm.name, hsm]))
  // Two HSMs of the configuration may have the same keys.
  const ids = new Set([...known, ...needed.map(({ id }) => id)])
  const missing: NeededObject[] = []
  const faulty: { object: NeededObject; fault: CustodyFault }[] = []
  const unknown: (HsmObject & { hsm: string })[] = []
  for (const [name, hsm] of connected) {
    const present = await hsm.objects()
    const presentIds = new Set(present.map(({ id }) => id))
    const ofHsm = needed.filter(object => object.hsm === name)
    missing.push(...ofHsm.filter(({ id }) => !presentIds.has(id)))
    const found = ofHsm.filter(({ id }) => presentIds.has(id))
    faulty.push(...(await inspect(hsm, found)))
    unknown.push(...present.filter(({ id }) => !ids.has(id)).map(object => ({ ...object, hsm: name })))
  }
  const unchecked = needed.filter(({ hsm }) => !connected.has(hsm))
  return { missing, faulty, unknown, unchecked }
}

async function inspect(hsm: Hsm, objects: readonly NeededObject[]) {
  const faulty: { object: NeededObject; fault: CustodyFault }[] = []
  const waiting = objects.values()
  const inspector = async () => {
    for (const object of waiting) {
      const { fault } = await hsm.inspectKey(heldKeyOf(object), 'quick')
      if (fault !== undefined) faulty.push({ object, fault })
    }
  }
  await Promise.all(Array.from({ length: parallel }, inspector))
  return faulty
}
