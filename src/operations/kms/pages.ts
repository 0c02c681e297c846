import { hash } from 'node:crypto'
import { Failure } from '../../errors.ts'
import type { Caller } from '../../model/identities/caller.ts'

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

/** Identifies a list of the caller, so that no marker crosses accounts or regions. */
export function scopeOf(
  operation: string,
  { account, region }: Caller,
  ...filter: readonly string[]
): readonly string[] {
  return [operation, account, region, ...filter]
}

/** Bytes of the digest that a marker starts with. */
const digestLength = 16

/** A digest of the scope and the last sort key, then that key: short enough for the 1024 characters of a Marker. */
function marker(last: string, scope: readonly string[]): string {
  return Buffer.concat([digest(last, scope), Buffer.from(last)]).toString('base64url')
}

function digest(last: string, scope: readonly string[]): Uint8Array {
  return hash('sha256', JSON.stringify([...scope, last]), 'buffer').subarray(0, digestLength)
}

function readMarker(text: string, scope: readonly string[]): string {
  const last = Buffer.from(text, 'base64url').toString('utf8', digestLength)
  if (text === marker(last, scope)) return last
  throw new Failure('InvalidMarker', 'Could not deserialize marker')
}

function tooMany(limit: number, maximum: number): Failure {
  const text = `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${maximum}`
  return new Failure('Validation', text)
}
