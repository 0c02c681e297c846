import { Failure } from '../../errors.ts'
import { marker, placeIn } from '../marker.ts'

export { scopeOf } from '../marker.ts'

/** Paging of the List operations: KMS API Reference, "ListKeys": Limit and Marker in, NextMarker and Truncated out. */

interface PageInput {
  readonly Limit?: number | undefined
  readonly Marker?: string | undefined
}

export interface Page<R> {
  readonly records: readonly R[]
  readonly NextMarker?: string
  readonly Truncated: boolean
}

/** Default and maximum number of records of a page. */
export interface PageSize {
  readonly ordinary: number
  readonly maximum: number
}

/**
 * @param scope identifies the list: a marker is valid only for the same account, region and list
 * @param read up to `limit` records whose sort key comes after `after`
 */
export async function page<R>(
  { Limit, Marker }: PageInput,
  size: PageSize,
  scope: readonly string[],
  sortKey: (record: R) => string,
  read: (after: string | undefined, limit: number) => Promise<readonly R[]> | readonly R[],
): Promise<Page<R>> {
  const limit = Limit ?? size.ordinary
  if (limit > size.maximum) throw tooMany(limit, size.maximum)
  const after = Marker === undefined ? undefined : readMarker(Marker, scope)
  const found = await read(after, limit + 1)
  const records = found.slice(0, limit)
  if (found.length <= limit) return { records, Truncated: false }
  return { records, NextMarker: marker(sortKey(records.at(-1)!), scope), Truncated: true }
}

function readMarker(text: string, scope: readonly string[]): string {
  const last = placeIn(text, scope)
  if (last === undefined) throw new Failure('InvalidMarker', 'Could not deserialize marker')
  return last
}

function tooMany(limit: number, maximum: number): Failure {
  const text = `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${maximum}`
  return new Failure('Validation', text)
}
