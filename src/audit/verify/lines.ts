/** Looks at the lines of a block without parsing them. */
import { isRecordLine } from '../format.ts'

export interface BlockLines {
  /** How many are audit records. */
  readonly records: number
  /** The others but for intents and the trailer: their beginning, which is all of a line that a gateway wrote. */
  readonly marks: readonly string[]
  /** Number of the first line that cannot be a JSON object, from 1. */
  readonly broken: number | undefined
}

const [newline, openingBrace, closingBrace, quote, letterE, letterI] = [0x0a, 0x7b, 0x7d, 0x22, 0x65, 0x69]

/** Bytes of the longest line that is no record and no intent. */
const longestMark = 4096

/** @param block a whole one, with its trailer */
export function linesIn(block: Buffer): BlockLines {
  const marks: string[] = []
  let [records, number] = [0, 0]
  let broken: number | undefined
  const trailer = block.lastIndexOf(newline, block.length - 2) + 1
  for (let begin = 0, end: number; begin < trailer; begin = end + 1) {
    end = block.indexOf(newline, begin)
    number++
    if (block[begin] !== openingBrace || block[begin + 1] !== quote || block[end - 1] !== closingBrace)
      broken ??= number
    // Nearly all lines are records, which begin with `eventVersion`.
    if (block[begin + 2] === letterE) records++
    else if (isRecordLine(block.toString('latin1', begin, Math.min(end, begin + 16)))) records++
    else if (block[begin + 2] !== letterI)
      marks.push(block.toString('utf8', begin, Math.min(end, begin + longestMark + 1)))
  }
  return { records, marks, broken }
}
