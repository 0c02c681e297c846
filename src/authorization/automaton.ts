/** The wildcards. They are no strings, so that no text of a policy or a request can be taken for one. */
export const anyCharacters = Symbol('*')
export const oneCharacter = Symbol('?')
/** The wildcards of the first five parts of an ARN, which stand for no colon. */
export const anyButColons = Symbol('* within a part')
export const oneButColon = Symbol('? within a part')

/** A part of a pattern: literal text or a wildcard. */
export type Piece = string | typeof anyCharacters | typeof oneCharacter | typeof anyButColons | typeof oneButColon

/**
 * Looks for many patterns at once: the Shift-And algorithm (Baeza-Yates and Gonnet, "A new approach to text searching", 1992) with wildcards.
 *
 * A state is how far a text agrees with a pattern: a pattern of n characters has n + 1 states, the last of which accepts. Each state is a
 * bit, and the states of all patterns stand in a row, so that a step from each state to the next is a shift.
 */
export class Automaton {
  readonly #start: Int32Array
  /** States that stay: those with a `*` behind them. */
  readonly #stay: Int32Array
  readonly #stayAtColon: Int32Array
  /** States that step whatever the character is: those with a `?` behind them. */
  readonly #step: Int32Array
  readonly #stepAtColon: Int32Array
  /** States that step at a character, by its code: pairs of the index of a word and its bits, and an end. */
  readonly #stepAt = new Map<number, number[]>()
  readonly #accept: Int32Array
  /** The states of the text so far. */
  readonly #now: Int32Array

  constructor(patterns: readonly (readonly Piece[])[]) {
    const states = patterns.reduce(
      (sum, pieces) => sum + 1 + pieces.reduce((size, piece) => size + lengthOf(piece), 0),
      0,
    )
    const words = () => new Int32Array(Math.ceil(states / 32))
    this.#start = words()
    this.#stay = words()
    this.#stayAtColon = words()
    this.#step = words()
    this.#stepAtColon = words()
    this.#accept = words()
    this.#now = words()
    let state = 0
    for (const pieces of patterns) {
      set(this.#start, state)
      for (const piece of pieces) state = this.#add(piece, state)
      set(this.#accept, state++)
    }
  }

  /** @returns the state behind the piece */
  #add(piece: Piece, state: number): number {
    if (piece === anyCharacters || piece === anyButColons) {
      set(this.#stay, state)
      if (piece === anyCharacters) set(this.#stayAtColon, state)
    } else if (piece === oneCharacter || piece === oneButColon) {
      set(this.#step, state)
      if (piece === oneCharacter) set(this.#stepAtColon, state)
    } else {
      for (let i = 0; i < piece.length; i++) this.#addCharacter(piece.charCodeAt(i), state + i)
    }
    return state + lengthOf(piece)
  }

  #addCharacter(code: number, state: number): void {
    const pairs = this.#stepAt.get(code)
    const word = state >>> 5
    if (!pairs) this.#stepAt.set(code, [word, 1 << state, end])
    else if (pairs.at(-3) === word) pairs[pairs.length - 2]! |= 1 << state
    else pairs.splice(-1, 1, word, 1 << state, end)
  }

  matches(text: string): boolean {
    this.#now.set(this.#start)
    for (let i = 0; i < text.length; i++) if (!this.#advance(text.charCodeAt(i))) return false
    return this.#accept.some((bits, word) => (bits & this.#now[word]!) !== 0)
  }

  /** @returns whether a pattern can still match */
  #advance(code: number): boolean {
    const now = this.#now
    const stay = code === colon ? this.#stayAtColon : this.#stay
    const step = code === colon ? this.#stepAtColon : this.#step
    const pairs = this.#stepAt.get(code) ?? noPairs
    let pair = 0
    let carry = 0
    let alive = 0
    for (let word = 0; word < now.length; word++) {
      let stepping = step[word]!
      if (pairs[pair] === word) {
        stepping |= pairs[pair + 1]!
        pair += 2
      }
      const bits = now[word]!
      const steps = bits & stepping
      alive |= now[word] = (bits & stay[word]!) | (steps << 1) | carry
      carry = steps >>> 31
    }
    return alive !== 0
  }
}

/** The index of no word. */
const end = -1
const noPairs: readonly number[] = [end]
const colon = ':'.charCodeAt(0)

/** Characters that a piece takes at least. */
function lengthOf(piece: Piece): number {
  if (typeof piece === 'string') return piece.length
  return piece === oneCharacter || piece === oneButColon ? 1 : 0
}

/** JavaScript takes the shift modulo 32. */
function set(words: Int32Array, bit: number): void {
  words[bit >>> 5]! |= 1 << bit
}
