/**
 * Patterns, in which `*` stands for any characters and `?` for exactly one: IAM User Guide, "IAM JSON policy elements: Resource". No regular
 * expression is made of a policy. Matching takes time proportional to the product of the lengths at worst, and mostly to their sum.
 */

/** The wildcards. They are no strings, so that no text of a policy or a request can be taken for one. */
export const anyCharacters = Symbol('*')
export const oneCharacter = Symbol('?')

/** A part of a pattern: literal text or a wildcard. */
export type Piece = string | typeof anyCharacters | typeof oneCharacter

export type Pattern = (text: string) => boolean

/** The pieces of a text in which `*` and `?` are wildcards. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = []
  let start = 0
  for (let end = 0; end < text.length; end++) {
    const wildcard = text[end] === '*' ? anyCharacters : text[end] === '?' ? oneCharacter : undefined
    if (!wildcard) continue
    if (end > start) pieces.push(text.slice(start, end))
    // Several `*` in a row are one.
    if (wildcard === oneCharacter || pieces.at(-1) !== anyCharacters) pieces.push(wildcard)
    start = end + 1
  }
  if (start < text.length) pieces.push(text.slice(start))
  return pieces
}

export function compilePattern(pieces: readonly Piece[]): Pattern {
  if (pieces.every(piece => typeof piece === 'string')) {
    const literal = pieces.join('')
    return text => text === literal
  }
  const segments = segmentsOf(pieces)
  const first = segments[0]!
  if (segments.length === 1) return text => text.length === first.length && first.matchesAt(text, 0)
  const last = segments.at(-1)!
  const minimum = segments.reduce((sum, { length }) => sum + length, 0)
  if (minimum === 0) return () => true
  const middle = segments.slice(1, -1)
  return text => {
    if (text.length < minimum || !first.matchesAt(text, 0)) return false
    const end = text.length - last.length
    return last.matchesAt(text, end) && areWithin(middle, text, first.length, end)
  }
}

/** Whether the segments match one behind the other. The earliest place of each leaves most room for the next ones. */
function areWithin(segments: readonly Segment[], text: string, start: number, end: number): boolean {
  let position = start
  for (const segment of segments) {
    const found = segment.find(text, position, end)
    if (found < 0) return false
    position = found + segment.length
  }
  return true
}

/** What stands between two `*`. */
interface Segment {
  readonly length: number
  /** The text has this length from there, or more. */
  matchesAt(text: string, position: number): boolean
  /** The first position at or behind `from` at which it matches and ends before `end`; -1 if there is none. */
  find(text: string, from: number, end: number): number
}

function segmentsOf(pieces: readonly Piece[]): readonly Segment[] {
  const segments: Segment[] = []
  let start = 0
  for (let end = 0; end <= pieces.length; end++) {
    if (end < pieces.length && pieces[end] !== anyCharacters) continue
    segments.push(segmentOf(pieces.slice(start, end) as (string | typeof oneCharacter)[]))
    start = end + 1
  }
  return segments
}

function segmentOf(pieces: readonly (string | typeof oneCharacter)[]): Segment {
  return pieces.includes(oneCharacter) ? new SegmentWithGaps(pieces) : new LiteralSegment(pieces.join(''))
}

class LiteralSegment implements Segment {
  readonly length: number
  readonly #literal: string

  constructor(literal: string) {
    this.length = literal.length
    this.#literal = literal
  }

  matchesAt(text: string, position: number): boolean {
    return text.startsWith(this.#literal, position)
  }

  find(text: string, from: number, end: number): number {
    const found = text.indexOf(this.#literal, from)
    return found + this.length > end ? -1 : found
  }
}

/** Stands for any character among the codes of a segment. */
const anyCode = -1

class SegmentWithGaps implements Segment {
  readonly length: number
  readonly #codes: readonly number[]

  constructor(pieces: readonly (string | typeof oneCharacter)[]) {
    this.#codes = pieces.flatMap(piece => (typeof piece === 'string' ? codesOf(piece) : [anyCode]))
    this.length = this.#codes.length
  }

  matchesAt(text: string, position: number): boolean {
    const codes = this.#codes
    for (let i = 0; i < codes.length; i++) {
      if (codes[i] !== anyCode && codes[i] !== text.charCodeAt(position + i)) return false
    }
    return true
  }

  find(text: string, from: number, end: number): number {
    for (let position = from; position + this.length <= end; position++) {
      if (this.matchesAt(text, position)) return position
    }
    return -1
  }
}

function codesOf(text: string): number[] {
  return Array.from({ length: text.length }, (_, index) => text.charCodeAt(index))
}
