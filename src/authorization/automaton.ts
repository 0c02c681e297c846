/** The wildcards. They are no strings, so that no text of a policy or a request can be taken for one. */
export const anyCharacters = Symbol('*')
export const oneCharacter = Symbol('?')
/** The wildcards of the first five parts of an ARN, which stand for no colon. */
export const anyButColons = Symbol('* within a part')
export const oneButColon = Symbol('? within a part')

/** A part of a pattern: literal text or a wildcard. */
export type Piece = string | typeof anyCharacters | typeof oneCharacter | typeof anyButColons | typeof oneButColon

/** Whether a text matches one of several patterns. */
export type Matcher = (text: string) => boolean

/**
 * Looks for many patterns at once: the Shift-And algorithm (Baeza-Yates and Gonnet, "A new approach to text searching", 1992) with wildcards.
 *
 * A state is how far a text agrees with a pattern: a pattern of n characters has n + 1 states, the last of which accepts. Each state is a
 * bit, and the states of all patterns stand in a row, so that a step from each state to the next is a shift.
 */
export function compileAutomaton(patterns: readonly (readonly Piece[])[]): Matcher {
  const automaton = build(patterns)
  return automaton.start.length === 1 ? inOneWord(automaton) : inWords(automaton)
}

/** Sets of states, 32 in a word. */
interface Automaton {
  readonly start: Int32Array
  /** Those with a `*` behind them, which stay. The second is for a colon. */
  readonly stay: readonly [Int32Array, Int32Array]
  /** Those with a `?` behind them, which step whatever the character is. The second is for a colon. */
  readonly step: readonly [Int32Array, Int32Array]
  /** Those that step at a character, by its code: pairs of the index of a word and its states. */
  readonly stepAt: Map<number, number[]>
  readonly accept: Int32Array
}

function build(patterns: readonly (readonly Piece[])[]): Automaton {
  const states = patterns.reduce((sum, pieces) => sum + statesOf(pieces), 0)
  const none = () => new Int32Array(Math.ceil(states / 32))
  const automaton: Automaton = {
    start: none(),
    stay: [none(), none()],
    step: [none(), none()],
    stepAt: new Map(),
    accept: none(),
  }
  let state = 0
  for (const pieces of patterns) {
    set(automaton.start, state)
    for (const piece of pieces) {
      add(piece, state, automaton)
      state += lengthOf(piece)
    }
    set(automaton.accept, state++)
  }
  return automaton
}

function statesOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + lengthOf(piece), 1)
}

/** Characters that a piece takes at least. */
function lengthOf(piece: Piece): number {
  if (typeof piece === 'string') return piece.length
  return piece === oneCharacter || piece === oneButColon ? 1 : 0
}

/** @param state before the piece */
function add(piece: Piece, state: number, { stay, step, stepAt }: Automaton): void {
  if (typeof piece === 'string') {
    for (let i = 0; i < piece.length; i++) addStep(piece.charCodeAt(i), state + i, stepAt)
    return
  }
  const [otherwise, atColon] = lengthOf(piece) === 0 ? stay : step
  set(otherwise, state)
  if (piece === anyCharacters || piece === oneCharacter) set(atColon, state)
}

function addStep(code: number, state: number, stepAt: Automaton['stepAt']): void {
  const pairs = stepAt.get(code)
  if (!pairs) stepAt.set(code, [state >>> 5, 1 << state])
  else if (pairs.at(-2) === state >>> 5) pairs[pairs.length - 1]! |= 1 << state
  else pairs.push(state >>> 5, 1 << state)
}

/** JavaScript takes the shift modulo 32. */
function set(words: Int32Array, bit: number): void {
  words[bit >>> 5]! |= 1 << bit
}

const colon = ':'.charCodeAt(0)

function inWords({ start, stay, step, stepAt, accept }: Automaton): Matcher {
  const steps = new Map(Array.from(stepAt, ([code, pairs]) => [code, Int32Array.from([...pairs, noWord])]))
  const none = Int32Array.of(noWord)
  const now = new Int32Array(start.length)
  return text => {
    now.set(start)
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      const at = code === colon ? 1 : 0
      if (!advance(now, stay[at], step[at], steps.get(code) ?? none)) return false
    }
    return accept.some((states, word) => (states & now[word]!) !== 0)
  }
}

const noWord = -1

/** @returns whether a pattern can still match */
function advance(now: Int32Array, stay: Int32Array, step: Int32Array, pairs: Int32Array): boolean {
  let pair = 0
  let carry = 0
  let alive = 0
  for (let word = 0; word < now.length; word++) {
    let stepping = step[word]!
    if (pairs[pair] === word) {
      stepping |= pairs[pair + 1]!
      pair += 2
    }
    const states = now[word]!
    const steps = states & stepping
    alive |= now[word] = (states & stay[word]!) | (steps << 1) | carry
    carry = steps >>> 31
  }
  return alive !== 0
}

const ascii = 128

/** The same at three times the speed, as most patterns are short. */
function inOneWord(automaton: Automaton): Matcher {
  const [[stay], [stayAtColon]] = automaton.stay as unknown as [[number], [number]]
  const [[step], [stepAtColon]] = automaton.step as unknown as [[number], [number]]
  const [start, accept] = [automaton.start[0]!, automaton.accept[0]!]
  const { asciiSteps, otherSteps } = stepsOfOneWord(automaton)
  return text => {
    let states = start
    for (let i = 0; i < text.length && states !== 0; i++) {
      const code = text.charCodeAt(i)
      const stepping = code < ascii ? asciiSteps[code]! : (otherSteps?.get(code) ?? 0)
      states =
        code === colon
          ? (states & stayAtColon) | ((states & (stepAtColon | stepping)) << 1)
          : (states & stay) | ((states & (step | stepping)) << 1)
    }
    return (states & accept) !== 0
  }
}

function stepsOfOneWord({ stepAt }: Automaton) {
  const steps = Array.from(stepAt, ([code, [, states]]) => [code, states!] as const)
  const asciiSteps = new Int32Array(ascii)
  for (const [code, states] of steps) if (code < ascii) asciiSteps[code] = states
  const others = steps.filter(([code]) => code >= ascii)
  return { asciiSteps, otherSteps: others.length > 0 ? new Map(others) : undefined }
}
