import { Failure } from '../errors.ts'
import type { Caller } from '../model/caller.ts'

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

/** How many records an operation lists when no limit is asked for, and at the most. */
export interface PageSize {
  readonly ordinary: number
  readonly maximum: number
}

/**
 * @param scope what the list is of: a marker is good only for the same account, region and list
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

/** Names a list of the caller: no marker crosses accounts or regions. */
export function scopeOf(
  operation: string,
  { account, region }: Caller,
  ...filter: readonly string[]
): readonly string[] {
  return [operation, account, region, ...filter]
}

function marker(last: string, scope: readonly string[]): string {
  return Buffer.from(JSON.stringify([...scope, last])).toString('base64url')
}

function readMarker(text: string, scope: readonly string[]): string {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    throw new Failure('InvalidMarkerException', 'Could not deserialize marker')
  }
  if (!Array.isArray(parts) || parts.length !== scope.length + 1 || scope.some((part, i) => part !== parts[i])) {
    throw new Failure('InvalidMarkerException', 'Could not deserialize marker')
  }
  const last = parts.at(-1)
  if (typeof last !== 'string') throw new Failure('InvalidMarkerException', 'Could not deserialize marker')
  return last
}

function tooMany(limit: number, maximum: number): Failure {
  const text = `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${maximum}`
  return new Failure('ValidationException', text)
}
