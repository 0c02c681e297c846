/** What is on an HSM, listed once for all jobs that want to know. */
import type { Hsm, HsmObject, JobServices } from '../services.ts'

interface Listing {
  /** Of `elapsed`. */
  readonly begun: number
  readonly objects: Promise<readonly HsmObject[]>
}

const latest = new WeakMap<Hsm, Listing>()

/**
 * The objects of an HSM, listed anew unless a listing is under way or was begun not long ago.
 *
 * @param maxAge milliseconds
 */
export function objectsOn(
  hsm: Hsm,
  { elapsed }: Pick<JobServices, 'elapsed'>,
  maxAge: number,
): Promise<readonly HsmObject[]> {
  const known = latest.get(hsm)
  if (known !== undefined && elapsed() - known.begun <= maxAge) return known.objects
  const listing = { begun: elapsed(), objects: hsm.objects() }
  latest.set(hsm, listing)
  listing.objects.catch(() => latest.get(hsm) === listing && latest.delete(hsm))
  return listing.objects
}
