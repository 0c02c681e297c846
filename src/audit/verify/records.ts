/** Reads the records of a journal that may be damaged: what is not what the gateway wrote is left out, and reported. */
import { hashOf, isRecordLine, largestBlock } from '../format.ts'
import { countText, type Report, shown } from './finding.ts'
import type { BlockScanner, ScannedBlock } from './scan.ts'
import { isDamage, type Source } from './source.ts'

/** Lines of records, as JSON: those of some blocks at a time. Rejects if a file cannot be read. */
export async function* recordLines(
  source: Source,
  scanner: BlockScanner,
  report: Report,
): AsyncGenerator<readonly string[]> {
  const { file } = source
  try {
    yield* linesFrom(source, scanner, report)
    const { offset, incomplete } = scanner
    if (incomplete === 0) return
    report({ file, kind: 'incomplete', offset, message: `${countText(incomplete, 'byte')} are no complete block` })
  } catch (error) {
    if (!isDamage(error)) throw error
    report({ file, kind: 'incomplete', message: `it cannot be decompressed to its end: ${error.message}` })
  }
}

/** The same of the whole blocks from where a scanner is, up to the end that the file has now. */
export async function* linesFrom(
  source: Source,
  scanner: BlockScanner,
  report: Report,
): AsyncGenerator<readonly string[]> {
  for await (const chunk of source.bytes(scanner.offset)) {
    const lines: string[] = []
    for (const block of scanner.scan(chunk)) {
      // There may be more of them than a call can have arguments.
      for (const line of linesOf(block, source.file, report)) lines.push(line)
    }
    if (lines.length > 0) yield lines
  }
}

/** The same of a file of a former version, which has lines but no blocks. */
export async function* plainLines(source: Source): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of source.bytes()) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    if (rest.length > largestBlock) rest = ''
    yield lines.filter(isRecord)
  }
}

function linesOf({ offset, length, bytes, trailer }: ScannedBlock, file: string, report: Report): readonly string[] {
  const { number: block } = trailer
  if (bytes && hashOf(bytes) === trailer.hash) return bytes.toString().split('\n').filter(isRecord)
  const message = `${countText(length, 'byte')} up to the end of block ${shown(block)} are not what was written`
  report({ file, kind: 'changed', offset, block, message })
  return []
}

/** What follows the last newline is no line. */
function isRecord(line: string): boolean {
  return line !== '' && isRecordLine(line)
}
