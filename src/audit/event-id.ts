import { hash, randomUUID } from 'node:crypto'

/**
 * A new event ID: a UUID of version 7 (RFC 9562, section 5.7), so that the ID of an event leads to its time.
 *
 * @param time of the event: milliseconds since the epoch
 */
export function eventId(time: number): string {
  const hex = Math.trunc(Math.max(0, time)).toString(16).padStart(12, '0').slice(-12)
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${randomUUID().slice(15)}`
}

/** The ID of a copy of an event for another account: always the same, as a copy may be written twice after a crash. */
export function copyId(id: string, account: string): string {
  const hex = hash('sha256', `${id} ${account}`, 'hex')
  return `${id.slice(0, 15)}${hex.slice(0, 3)}-8${hex.slice(3, 6)}-${hex.slice(6, 18)}`
}

/** When the event happened, by its ID; undefined for an ID of another kind. */
export function timeOfEvent(id: string): number | undefined {
  const [, high, low] = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.exec(id) ?? []
  return low === undefined ? undefined : Number.parseInt(high! + low, 16)
}
