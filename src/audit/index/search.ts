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
  readonly attributes: readonly { readonly key: AttributeKey; readonly value: string }[]
  /** Absent: events of all accounts and regions, and of the gateway itself. */
  readonly scope?: Scope | undefined
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
  const { attributes, scope, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = search
  // Parsing takes most of the time. Every value is a part of its record, as JSON.stringify wrote it.
  const texts = [...attributes.map(({ value }) => value), ...(scope ? [scope.account, scope.region] : [])]
  const parts = texts.map(text => JSON.stringify(text).slice(1, -1))
  return line => {
    const record = parts.every(part => line.includes(part)) ? recordIn(line) : undefined
    if (record === undefined) return undefined
    const time = Date.parse(record.eventTime)
    const isWanted =
      time >= from &&
      time <= to &&
      (scope === undefined || isIn(scope, record)) &&
      attributes.every(({ key, value }) => hasAttribute(record, key, value))
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
  /** At least one. */
  readonly terms: readonly { readonly attribute: IndexedAttribute; readonly value: string }[]
  readonly scope: Scope | undefined
  readonly from: number
  readonly to: number
  /** Whether it must have event IDs that are not of version 7. */
  readonly undatedIds: boolean
}

/** An event ID leads to its time, and if it does not, to the chunks with such IDs: the index has no IDs. */
export function chunkSearchOf({ attributes, scope, from, to }: Search): ChunkSearch {
  const terms: { attribute: IndexedAttribute; value: string }[] = [{ attribute: 'EventCategory', value: 'Management' }]
  const range = { from: from ?? Number.MIN_SAFE_INTEGER, to: to ?? Number.MAX_SAFE_INTEGER }
  let undatedIds = false
  for (const { key, value } of attributes) {
    if (key !== 'EventId') {
      terms.push({ attribute: key, value })
      continue
    }
    const time = timeOfEvent(value)
    if (time === undefined) {
      undatedIds = true
    } else {
      range.from = Math.max(range.from, startOfSecond(time))
      range.to = Math.min(range.to, endOfSecond(time))
    }
  }
  // Every record has the category: it is asked for only if nothing else is.
  return { terms: terms.length > 1 ? terms.slice(1) : terms, scope, ...range, undatedIds }
}

/** Records have their times in seconds. */
export function startOfSecond(time: number): number {
  return time - (time % 1000)
}

export function endOfSecond(time: number): number {
  return startOfSecond(time) + 999
}
