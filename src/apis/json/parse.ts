/** Parses the body of a request as JSON, within limits that are checked before the work they bound. */
import { Failure } from '../../errors.ts'

/**
 * Maximum number of commas, colons and opening brackets, including those of unknown members. The largest valid request, two encryption
 * contexts of one-letter pairs, has about half as many. V8 takes up to fifty times as long for each as for a byte.
 */
export const maximumTokens = 8192

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws Serialization for anything but JSON in UTF-8, and beyond the limit. */
export function parseJson(body: Uint8Array): unknown {
  if (body.length > maximumTokens && tokensIn(body) > maximumTokens) {
    throw new Failure('Serialization', `The request exceeds the limit of ${maximumTokens} JSON tokens.`)
  }
  try {
    return JSON.parse(utf8.decode(body))
  } catch (cause) {
    // The cause is dropped, as it quotes the body, which may contain a plaintext.
    throw new Failure('Serialization', '', { cause: new Error(`not JSON in UTF-8: ${(cause as Error).name}`) })
  }
}

/**
 * Whether an object in valid JSON has two members of one name, of which JSON.parse keeps the last: RFC 8259, section 4. There are as many
 * colons outside of texts as members.
 *
 * @param value what JSON.parse has read from the body
 */
export function hasRepeatedMember(body: Uint8Array, value: unknown): boolean {
  let colons = 0
  for (let i = 0; i < body.length; i++) {
    if (body[i] === quote) i = endOfString(body, i + 1)
    else if (body[i] === colon) colons++
  }
  return colons !== membersIn(value)
}

/** Without recursion: a body may be nested as deeply as it has tokens. */
function membersIn(value: unknown): number {
  let count = 0
  const waiting = [value]
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (typeof next !== 'object' || next === null) continue
    const members: unknown[] = Object.values(next)
    if (!Array.isArray(next)) count += members.length
    for (const member of members) waiting.push(member)
  }
  return count
}

const [quote, backslash, comma, colon, list, structure] = Buffer.from('"\\,:[{')

function tokensIn(body: Uint8Array): number {
  let count = 0
  for (let i = 0; i < body.length; i++) {
    switch (body[i]) {
      case quote:
        i = endOfString(body, i + 1)
        break
      case comma:
      case colon:
      case list:
      case structure:
        count++
    }
  }
  return count
}

/** Offset of the closing quote of the string. */
function endOfString(body: Uint8Array, start: number): number {
  let i = start
  while (i < body.length && body[i] !== quote) i += body[i] === backslash ? 2 : 1
  return i
}
