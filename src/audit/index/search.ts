import type { AuditRecord } from '../entry.ts'
import { timeOfEvent } from '../event-id.ts'
import {
  type AttributeKey,
  accessKeyOf,
  hasAttribute,
  type IndexedAttribute,
  type Scope,
  scopeOf,
  userNameOf,
} from './attributes.ts'
import { recordIn } from './record-in.ts'

/** Which events are wanted. All that is given must hold. */
export interface Search {
  readonly attribute?: { readonly key: AttributeKey; readonly value: string } | undefined
  readonly scope: Scope
  /** Milliseconds since the epoch, inclusive. */
  readonly from?: number | undefined
  readonly to?: number | undefined
}

/** An event, as it is on record. */
export interface FoundEvent {
  readonly record: AuditRecord
  /** The line of the journal. */
  readonly text: string
  readonly userName: string | undefined
  readonly accessKeyId: string | undefined
  /** Milliseconds since the epoch. */
  readonly time: number
}

/**
 * Finds wanted records among the lines of a journal. What it returns is undefined for other records, for lines of other kinds and for
 * damaged ones.
 */
export function matcherOf(search: Search): (line: string) => FoundEvent | undefined {
  const { attribute, scope, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = search
  // Parsing takes most of the time. Every value is a part of its record, as JSON.stringify wrote it.
  const parts = [attribute?.value ?? '', scope.account, scope.region].map(text => JSON.stringify(text).slice(1, -1))
  return line => {
    const record = parts.every(part => line.includes(part)) ? recordIn(line) : undefined
    if (record === undefined) return undefined
    const time = Date.parse(record.eventTime)
    const isWanted =
      time >= from &&
      time <= to &&
      isIn(scope, record) &&
      (attribute === undefined || hasAttribute(record, attribute.key, attribute.value))
    return isWanted ? eventOf(record, line, time) : undefined
  }
}

function eventOf(record: AuditRecord, text: string, time: number): FoundEvent {
  return { record, text, userName: userNameOf(record), accessKeyId: accessKeyOf(record), time }
}

function isIn({ account, region }: Scope, record: AuditRecord): boolean {
  const own = scopeOf(record)
  return own.account === account && own.region === region
}

/** What a chunk must have to have wanted events. */
export interface ChunkSearch {
  readonly attribute: IndexedAttribute
  readonly value: string
  readonly scope: Scope
  readonly from: number
  readonly to: number
  /** Whether it must have event IDs that are not of version 7. */
  readonly undatedIds: boolean
}

/** An event ID leads to its time, and if it does not, to the chunks with such IDs: the index has no IDs. */
export function chunkSearchOf({ attribute, scope, from, to }: Search): ChunkSearch {
  const range = { from: from ?? Number.MIN_SAFE_INTEGER, to: to ?? Number.MAX_SAFE_INTEGER }
  const any = { attribute: 'EventCategory', value: 'Management', scope, ...range, undatedIds: false } as const
  if (attribute === undefined) return any
  const { key, value } = attribute
  if (key !== 'EventId') return { ...any, attribute: key, value }
  const time = timeOfEvent(value)
  if (time === undefined) return { ...any, undatedIds: true }
  return { ...any, from: Math.max(range.from, startOfSecond(time)), to: Math.min(range.to, endOfSecond(time)) }
}

/** Records have their times in seconds. */
export function startOfSecond(time: number): number {
  return time - (time % 1000)
}

export function endOfSecond(time: number): number {
  return startOfSecond(time) + 999
}
