/** Listings of the objects on an HSM, shared by jobs. */
import type { Hsm, HsmObject, JobServices } from '../services.ts'

interface Listing {
  /** By `elapsed`. */
  readonly startedAt: number
  readonly objects: Promise<readonly HsmObject[]>
}

const latest = new WeakMap<Hsm, Listing>()

/**
 * The objects of an HSM, from a listing in progress or a recent one if there is one.
 *
 * @param maxAge milliseconds
 */
export function objectsOn(
  hsm: Hsm,
  { elapsed }: Pick<JobServices, 'elapsed'>,
  maxAge: number,
): Promise<readonly HsmObject[]> {
  const known = latest.get(hsm)
  if (known !== undefined && elapsed() - known.startedAt <= maxAge) return known.objects
  const listing = { startedAt: elapsed(), objects: hsm.objects() }
  latest.set(hsm, listing)
  listing.objects.catch(() => latest.get(hsm) === listing && latest.delete(hsm))
  return listing.objects
}

/** How many of the objects have the same CKA_ID. */
export function countIds(objects: readonly { readonly id: string }[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { id } of objects) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
