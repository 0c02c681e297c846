import type { DurableEnd } from './tail.ts'

/** What a position of a journal says: see Journal. */
export interface Place {
  /** UUID. */
  readonly journal: string
  readonly segment: number
  /** Bytes. */
  readonly offset: number
}

export function positionOf({ size, head: { journal, segment } }: DurableEnd): string {
  return `${journal}:${segment}:${size}`
}

/** Undefined for a position of another form, as a former version had. */
export function placeOf(position: string): Place | undefined {
  const [, journal, segment, offset] = /^(.*):(\d+):(\d+)$/.exec(position) ?? []
  return journal === undefined ? undefined : { journal, segment: Number(segment), offset: Number(offset) }
}

/** Of the same journal. */
export function isAfter(place: Omit<Place, 'journal'>, other: Omit<Place, 'journal'>): boolean {
  return place.segment > other.segment || (place.segment === other.segment && place.offset > other.offset)
}
