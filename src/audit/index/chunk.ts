import type { AuditRecord } from '../entry.ts'
import { timeOfEvent } from '../event-id.ts'
import { type IndexedAttribute, indexedAttributes, scopeOf } from './attributes.ts'
import { endOfSecond, startOfSecond } from './search.ts'
import { UsageCounts, type UsageRows } from './usage-counts.ts'

/** Whole lines of a segment that follow each other: bytes from its beginning. */
export interface Range {
  readonly segment: number
  readonly start: number
  readonly end: number
}

/** A place between two blocks of a journal. */
export interface Place {
  readonly segment: number
  /** Bytes from the beginning of the segment. */
  readonly offset: number
  /** Hex, of the block that ends there; empty at the beginning, and in a segment without blocks. */
  readonly hash: string
}

/** A value that an attribute has in a chunk, in one account and region. */
export interface Term {
  readonly attribute: IndexedAttribute
  readonly value: string
  readonly scope: string
}

/** What the index holds of a part of the journal. */
export interface Chunk extends Range {
  /** Of its last block: see Place. */
  readonly hash: string
  /** Of its events: milliseconds since the epoch, the seconds in which the earliest and the latest are. Absent without events. */
  readonly times?: { readonly first: number; readonly last: number } | undefined
  /** Whether it has event IDs that are not of version 7. */
  readonly undatedIds: boolean
  readonly terms: readonly Term[]
  readonly usage: UsageRows
}

/** Characters of a value: no longer one can be looked up (CloudTrail API Reference, "LookupAttribute"). */
const longestValue = 2000

/** An account and region, as one text; `/` for the gateway itself. */
export function scopeText({ account, region }: { readonly account: string; readonly region: string }): string {
  return `${account}/${region}`
}

type Values = ReadonlyMap<IndexedAttribute, Set<string>>

/** Bytes after which a chunk ends: smaller ones cost a busy gateway with many keys more rows than its calls. */
const fullChunk = 8 * 1024 * 1024

/** Collects what the index holds of a chunk, without parsing any text. */
export class ChunkBuilder {
  readonly segment: number
  readonly #start: number
  #end: number
  #hash = ''
  /** As in the records: the times of one journal sort as their texts, to the second. */
  #first: string | undefined
  #last: string | undefined
  #undatedIds = false
  /** By account and region. */
  readonly #values = new Map<string, Values>()
  #lastScope: { readonly account: string; readonly region: string; readonly values: Values } | undefined
  readonly #usage: UsageCounts

  /** @param meteredSources event sources of the APIs whose calls are counted */
  constructor(segment: number, start: number, meteredSources: readonly string[]) {
    this.segment = segment
    this.#start = start
    this.#end = start
    this.#usage = new UsageCounts(meteredSources)
  }

  get isEmpty(): boolean {
    return this.#end === this.#start
  }

  get isFull(): boolean {
    return this.#end - this.#start >= fullChunk
  }

  add(record: AuditRecord): void {
    const { eventTime, eventID } = record
    if (this.#first === undefined || eventTime < this.#first) this.#first = eventTime
    if (this.#last === undefined || eventTime > this.#last) this.#last = eventTime
    this.#undatedIds ||= timeOfEvent(eventID) === undefined
    this.#usage.add(record)
    const sets = this.#valuesOf(record)
    for (const [attribute, valuesOf] of indexedAttributes) {
      const values = valuesOf(record)
      if (values === undefined) continue
      const set = sets.get(attribute)!
      if (typeof values === 'string') set.add(values)
      else for (const value of values) set.add(value)
    }
  }

  /** @param end of the block whose records were added, and its hash */
  extendTo(end: number, hash: string): void {
    this.#end = end
    this.#hash = hash
  }

  build(): Chunk {
    const terms = [...this.#values].flatMap(([scope, values]) =>
      [...values].flatMap(([attribute, set]) =>
        [...set].filter(value => value.length <= longestValue).map(value => ({ attribute, value, scope })),
      ),
    )
    const [first, last] = [Date.parse(this.#first ?? ''), Date.parse(this.#last ?? '')]
    const times = Number.isNaN(first + last) ? undefined : { first: startOfSecond(first), last: endOfSecond(last) }
    const range = { segment: this.segment, start: this.#start, end: this.#end, hash: this.#hash }
    return { ...range, times, undatedIds: this.#undatedIds, terms, usage: this.#usage.rows }
  }

  #valuesOf(record: AuditRecord): Values {
    const { account, region } = scopeOf(record)
    const last = this.#lastScope
    if (last?.account === account && last.region === region) return last.values
    const scope = scopeText({ account, region })
    let values = this.#values.get(scope)
    if (values === undefined) {
      values = new Map(indexedAttributes.map(([attribute]) => [attribute, new Set<string>()]))
      this.#values.set(scope, values)
    }
    this.#lastScope = { account, region, values }
    return values
  }
}
