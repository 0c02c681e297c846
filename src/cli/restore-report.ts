import type { Comparison } from '../backup/comparison.ts'
import type { Header } from '../backup/header.ts'
import type { NeededObject } from '../backup/needed-objects.ts'
import { shownTime } from './identity-options.ts'
import { printable } from './printable.ts'

export interface Report extends Comparison {
  readonly needed: readonly NeededObject[]
  /** What the storage of the configuration needs now, by CKA_ID, if there is one. */
  readonly present?: ReadonlyMap<string, NeededObject> | undefined
}

/** What differs between a backup, the HSMs, and the present storage: a line for each object, and a summary. */
export function reportLines({ time, gateway, version, changeNumber }: Header, report: Report): string[] {
  const { needed, missing, faulty, unknown, unchecked, present } = report
  const ids = new Set(needed.map(({ id }) => id))
  const gone = (object: NeededObject) =>
    present && !present.has(object.id) ? '; the present storage does not need it' : ''
  const unplaced = [...(present?.values() ?? [])].filter(
    ({ id }) => !ids.has(id) && !unknown.some(object => object.id === id),
  )
  return [
    `Backup of ${time} by gateway ${gateway} (Strongroom ${version}), up to change ${changeNumber}`,
    ...missing.map(object => `missing on the HSM: ${described(object)}${gone(object)}`),
    ...faulty.map(({ object, fault }) => `faulty on the HSM (${fault}): ${described(object)}${gone(object)}`),
    ...unknown.map(({ hsm, id, label }) => {
      const now = present?.get(id)
      const owner = now ? `${now.owner}, material ${now.material} of ${shownTime(now.since)}` : 'owner not on record'
      return `not in the backup: ${hsm} ${id} "${printable(label)}": ${owner}`
    }),
    ...unplaced.map(object => `not in the backup, and not seen on the HSM: ${described(object)}`),
    ...unchecked.map(object => `not checked, as its HSM is not connected: ${described(object)}`),
    `${needed.length} objects needed: ${missing.length} missing, ${faulty.length} faulty, ${unchecked.length} not checked; ${unknown.length} on the HSMs are not in the backup`,
  ]
}

function described({ hsm, id, owner, material, since, deletionDate, ...object }: NeededObject): string {
  const pending = deletionDate === undefined ? '' : `, pending deletion on ${shownTime(deletionDate)}`
  return `${hsm} ${id} (${object.class}, ${object.keyType}): ${owner}, material ${material} of ${shownTime(since)}${pending}`
}
