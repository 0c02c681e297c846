import { type Filter, type FoundRecord, filterOf } from '../audit/filter.ts'
import { callerIn } from '../audit/user-identity.ts'
import type { Finding } from '../audit/verify/finding.ts'
import { plainLines, recordLines } from '../audit/verify/records.ts'
import { BlockScanner } from '../audit/verify/scan.ts'
import { type OrderedSegment, orderedSegments } from '../audit/verify/segments.ts'
import { lineOf } from './finding-line.ts'
import { openJournal, withReadErrors } from './journal-files.ts'
import { printable } from './printable.ts'
import { resourceText } from './record-text.ts'

/** Reads chosen records of a journal, whole or not. */

export interface FilterOptions extends Filter {
  readonly data?: string
  readonly config?: string
}

export interface OpenedRecords {
  /** In their order. */
  readonly segments: readonly OrderedSegment[]
  /** The file to which the gateway writes: the last segment. Undefined if files are given, or if it is missing. */
  readonly active: string | undefined
  /** The chosen records of a segment. */
  read(segment: OrderedSegment, scanner?: BlockScanner): AsyncGenerator<readonly FoundRecord[]>
  choose(line: string): FoundRecord | undefined
  /** Writes what is not whole to standard error, and sets exit code 1. */
  report(finding: Finding): void
}

/** Throws OperatorError. */
export async function withRecords(
  files: readonly string[],
  options: FilterOptions,
  work: (records: OpenedRecords) => Promise<void>,
): Promise<void> {
  await using opened = new AsyncDisposableStack()
  await withReadErrors(async () => {
    const { sources, active, absent } = await openJournal(files, options, opened)
    if (absent !== undefined) report({ file: absent, kind: 'missing', message: 'the last segment is missing' })
    const { segments } = await orderedSegments(sources, { from: 'any', report })
    const choose = filterOf(options)
    const isActive = active !== undefined && absent === undefined
    const last = isActive ? segments.at(-1) : undefined
    await work({
      segments,
      active: last && active,
      async *read(segment, scanner = new BlockScanner()) {
        // The gateway may be writing the last block.
        const isWhole = (finding: Finding) => segment === last && finding.kind === 'incomplete'
        const { source, number } = segment
        const reportOthers = (finding: Finding) => isWhole(finding) || report(finding)
        const lines = number === 0 ? plainLines(source) : recordLines(source, scanner, reportOthers)
        for await (const some of lines) yield some.flatMap(line => choose(line) ?? [])
      },
      choose,
      report,
    })
  })
}

function report(finding: Finding): void {
  process.stderr.write(`strongroom: ${lineOf(finding)}\n`)
  process.exitCode = 1
}

/** A record in one line for a terminal: time, operation, outcome, caller, source address, resources. */
export function recordLine({ record }: FoundRecord): string {
  const { eventTime, eventName, errorCode, userIdentity, sourceIPAddress } = record
  const columns = [
    eventTime,
    (eventName ?? '-').padEnd(20),
    (errorCode ?? 'success').padEnd(14),
    callerIn(userIdentity),
    sourceIPAddress ?? '-',
    resourceText(record) || '-',
  ]
  return `${printable(columns.join('  '))}\n`
}

/** The record as the journal has it. */
export function jsonLine({ line }: FoundRecord): string {
  return `${line}\n`
}
