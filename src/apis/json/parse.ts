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
