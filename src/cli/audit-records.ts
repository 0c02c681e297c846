import { type Filter, type FoundRecord, filterOf } from '../audit/filter.ts'
import { callerIn } from '../audit/user-identity.ts'
import type { Finding } from '../audit/verify/finding.ts'
import { plainLines, recordLines } from '../audit/verify/records.ts'
import { BlockScanner } from '../audit/verify/scan.ts'
import { type OrderedSegment, orderedSegments } from '../audit/verify/segments.ts'
import { lineOf } from './finding-line.ts'
import { type OpenedJournal, openJournals, withReadErrors } from './journal-files.ts'
import { printable } from './printable.ts'
import { resourceText } from './record-text.ts'

/** Reads chosen records of a journal, whole or not. */

export interface FilterOptions extends Filter {
  readonly data?: string
  readonly config?: string
}

/** Of one journal. */
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

/** @param work is given the journals that are read: several if a machine has several gateways. Throws OperatorError. */
export async function withRecords(
  files: readonly string[],
  options: FilterOptions,
  work: (journals: readonly OpenedRecords[]) => Promise<void>,
): Promise<void> {
  await using opened = new AsyncDisposableStack()
  await withReadErrors(async () => {
    const choose = filterOf(options)
    const journals = await openJournals(files, options, opened)
    await work(await Promise.all(journals.map(journal => recordsOf(journal, choose))))
  })
}

async function recordsOf(
  { sources, active, absent }: OpenedJournal,
  choose: OpenedRecords['choose'],
): Promise<OpenedRecords> {
  if (absent !== undefined) report({ file: absent, kind: 'missing', message: 'the last segment is missing' })
  const { segments } = await orderedSegments(sources, { from: 'any', report })
  const isActive = active !== undefined && absent === undefined
  const last = isActive ? segments.at(-1) : undefined
  return {
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
  }
}

/** The chosen records of all journals: each in its order, and among each other by their time. */
export async function* allRecords(journals: readonly OpenedRecords[]): AsyncGenerator<readonly FoundRecord[]> {
  const [only, ...others] = journals.map(recordsIn)
  if (only !== undefined && others.length === 0) return yield* only
  const heads = [only!, ...others].map(stream => ({
    stream,
    records: [] as readonly FoundRecord[],
    next: 0,
    isEnded: false,
  }))
  for (;;) {
    for (const head of heads) {
      while (head.next === head.records.length && !head.isEnded) {
        const { value = [], done = false } = await head.stream.next()
        Object.assign(head, { records: value, next: 0, isEnded: done })
      }
    }
    const left = heads.filter(({ isEnded }) => !isEnded)
    if (left.length === 0) return
    const merged: FoundRecord[] = []
    while (left.every(({ next, records }) => next < records.length)) {
      const first = left.reduce((one, other) => (timeOf(other) < timeOf(one) ? other : one))
      merged.push(first.records[first.next]!)
      first.next++
    }
    yield merged
  }
}

async function* recordsIn({ segments, read }: OpenedRecords): AsyncGenerator<readonly FoundRecord[], undefined> {
  for (const segment of segments) yield* read(segment)
}

/** ISO 8601, in UTC. */
function timeOf({ records, next }: { readonly records: readonly FoundRecord[]; readonly next: number }): string {
  return records[next]!.record.eventTime
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
