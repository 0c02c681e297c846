/** Markers of where a page of a list ended: opaque to callers, and valid for the same list of the same caller only. */
import { hash } from 'node:crypto'
import type { Caller } from '../model/identities/caller.ts'

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

/** A digest of the scope and the place where the page ended, then that place: short enough for the 1024 characters of a KMS Marker. */
export function marker(place: string, scope: readonly string[]): string {
  return Buffer.concat([digest(place, scope), Buffer.from(place)]).toString('base64url')
}

function digest(place: string, scope: readonly string[]): Uint8Array {
  return hash('sha256', JSON.stringify([...scope, place]), 'buffer').subarray(0, digestLength)
}

/** The place of a marker; undefined if it is not one of the scope. */
export function placeIn(text: string, scope: readonly string[]): string | undefined {
  const place = Buffer.from(text, 'base64url').toString('utf8', digestLength)
  return text === marker(place, scope) ? place : undefined
}
