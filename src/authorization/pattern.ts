import { anyCharacters, compileAutomaton, type Matcher, oneCharacter, type Piece } from './automaton.ts'

/**
 * Patterns, in which `*` stands for any characters and `?` for exactly one: IAM User Guide, "IAM JSON policy elements: Resource". No regular
 * expression is made of a policy.
 */

/** The pieces of a text in which `*` and `?` are wildcards. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = []
  let start = 0
  for (let end = 0; end < text.length; end++) {
    const wildcard = text[end] === '*' ? anyCharacters : text[end] === '?' ? oneCharacter : undefined
    if (!wildcard) continue
    if (end > start) pieces.push(text.slice(start, end))
    pieces.push(wildcard)
    start = end + 1
  }
  if (start < text.length) pieces.push(text.slice(start))
  return pieces
}

export function compilePattern(pieces: readonly Piece[]): Matcher {
  return compilePatterns([pieces])
}

/** More prefixes than this are left to the automaton, which looks for all of them at once. */
const fewPrefixes = 32

/**
 * Most patterns are literal, or literal but for a `*` at the end. An automaton finds the others, all at once, so that the time is bounded by
 * the length of the text times that of the patterns, divided by 32.
 */
export function compilePatterns(patterns: readonly (readonly Piece[])[]): Matcher {
  const literals = new Set<string>()
  const prefixes: string[] = []
  const others: (readonly Piece[])[] = []
  for (const pieces of patterns) {
    const last = pieces.at(-1)
    if (isLiteral(pieces)) literals.add(pieces.join(''))
    else if (last === anyCharacters && prefixes.length < fewPrefixes && isLiteral(pieces.slice(0, -1))) {
      prefixes.push(pieces.slice(0, -1).join(''))
    } else others.push(pieces)
  }
  if (prefixes.includes('')) return () => true
  const matchesOthers = others.length > 0 ? compileAutomaton(others) : undefined
  return text => {
    if (literals.has(text)) return true
    for (const prefix of prefixes) if (text.startsWith(prefix)) return true
    return matchesOthers?.(text) ?? false
  }
}

function isLiteral(pieces: readonly Piece[]): pieces is readonly string[] {
  return pieces.every(piece => typeof piece === 'string')
}
