import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Bytes of a line: room for several policies of 32 KB as JSON text. */
const maximumLength = 1024 * 1024

const newline = 0x0a

/** A line that cannot be answered. The message says why. */
export class LineError extends Error {}

export interface Answered {
  readonly lines: number
  readonly failed: number
}

/**
 * Answers each line of `input` with one line of `output`, in order and as they come: one that cannot be answered with `{"error": "..."}`.
 * Reads no further while `output` is not read, and never holds more than a line and a chunk.
 *
 * @param answer JSON without line breaks. Throws LineError
 */
export async function answerLines(
  input: AsyncIterable<Uint8Array>,
  output: Writable,
  answer: (line: string) => string,
): Promise<Answered> {
  let [lines, failed] = [0, 0]
  const answerTo = (line: Line) => {
    lines++
    try {
      return `${answer(decoded(line))}\n`
    } catch (thrown) {
      if (!(thrown instanceof LineError)) throw thrown
      failed++
      return `${JSON.stringify({ error: thrown.message })}\n`
    }
  }
  for await (const complete of linesOf(input)) {
    const answers = complete.map(answerTo).join('')
    if (answers !== '' && !output.write(answers)) await once(output, 'drain')
  }
  return { lines, failed }
}

/** Undefined for one that was too long to be kept. */
type Line = Uint8Array | undefined

/** The lines that each chunk completes. The last line needs no line break. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Line[]> {
  const rest = new LineStart()
  for await (const chunk of chunks) {
    const complete: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      complete.push(rest.endWith(chunk.subarray(start, end)))
      start = end + 1
    }
    rest.add(chunk.subarray(start))
    yield complete
  }
  if (rest.length > 0) yield [rest.endWith(new Uint8Array())]
}

/** What is there of a line that has not ended. */
class LineStart {
  #parts: Uint8Array[] = []
  length = 0

  /** Keeps no more than a line may have. */
  add(part: Uint8Array): void {
    this.length += part.length
    if (this.length > maximumLength) this.#parts = []
    else if (part.length > 0) this.#parts.push(part)
  }

  endWith(part: Uint8Array): Line {
    this.add(part)
    const isWhole = this.#parts.length === 1
    const line = this.length > maximumLength ? undefined : isWhole ? this.#parts[0] : Buffer.concat(this.#parts)
    this.#parts = []
    this.length = 0
    return line
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decoded(line: Line): string {
  if (line === undefined) throw new LineError(`the line is longer than ${maximumLength} bytes`)
  if (line.length === 0) throw new LineError('the line is empty')
  try {
    return utf8.decode(line)
  } catch {
    throw new LineError('the line is not UTF-8')
  }
}
