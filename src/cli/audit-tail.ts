import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FoundRecord } from '../audit/filter.ts'
import { fullSegments } from '../audit/segments.ts'
import { linesFrom } from '../audit/verify/records.ts'
import { BlockScanner } from '../audit/verify/scan.ts'
import { headerOf, missingText, type OrderedSegment } from '../audit/verify/segments.ts'
import { Source } from '../audit/verify/source.ts'
import { OperatorError } from '../errors.ts'
import { type FilterOptions, jsonLine, type OpenedRecords, recordLine, withRecords } from './audit-records.ts'
import { Output } from './output.ts'

export interface TailOptions extends FilterOptions {
  readonly lines: number
  readonly follow?: boolean
  readonly json?: boolean
}

/** Milliseconds. */
const pollInterval = 200

/** Prints the last records that fit, and with `follow` those that come, until it is interrupted or nobody reads them. */
export async function auditTail(files: readonly string[], options: TailOptions): Promise<void> {
  const shown = options.json ? jsonLine : recordLine
  const output = new Output()
  const print = async (found: readonly FoundRecord[]) => {
    for (const record of found) await output.write(shown(record))
    return output.flush()
  }
  await withRecords(files, options, async journals => {
    if (options.follow && !journals.some(({ active }) => active !== undefined))
      throw new OperatorError('only the journal of a data folder can be followed', { exitCode: 2 })
    const read = journals.map(records => ({ records, scanner: new BlockScanner() }))
    const last: FoundRecord[] = []
    for (const { records, scanner } of read) last.push(...(await lastOf(records, options.lines, scanner)))
    // Of one journal in its order, of several by time.
    const sorted = journals.length > 1 ? last.sort(byTime) : last
    let isOpen = await print(sorted.slice(-options.lines))
    if (!options.follow) return
    const follow = async ({ records, scanner }: (typeof read)[number]) => {
      const { active, segments } = records
      if (active === undefined) return
      const follower = new Follower(records, active, segments.at(-1)!, scanner.offset)
      for await (const found of follower.records(() => !isOpen)) isOpen &&= await print(found)
    }
    await Promise.all(read.map(follow))
  })
}

function byTime({ record: one }: FoundRecord, { record: other }: FoundRecord): number {
  return Date.parse(one.eventTime) - Date.parse(other.eventTime)
}

/** @param scanner reads the last segment */
async function lastOf(records: OpenedRecords, count: number, scanner: BlockScanner): Promise<readonly FoundRecord[]> {
  let last: readonly FoundRecord[] = []
  for (const segment of records.segments.toReversed()) {
    let own: readonly FoundRecord[] = []
    const isLast = segment === records.segments.at(-1)
    for await (const found of records.read(segment, isLast ? scanner : undefined))
      own = [...own, ...found].slice(-count)
    last = [...own, ...last].slice(-count)
    if (last.length === count) break
  }
  return last
}

/** Reads what is added to a journal, from segment to segment. */
class Follower {
  readonly #records: OpenedRecords
  readonly #active: string
  #source: Source
  #number: number
  /** Where the last block that was read ends. */
  #offset: number

  constructor(records: OpenedRecords, active: string, { source, number }: OrderedSegment, offset: number) {
    this.#records = records
    this.#active = active
    this.#source = source
    this.#number = number
    this.#offset = offset
  }

  /** Ends when it is told so. */
  async *records(isEnded: () => boolean): AsyncGenerator<readonly FoundRecord[]> {
    while (!isEnded()) {
      const isFull = await this.#isFull()
      yield* this.#added()
      if (!isFull || !(await this.#goOn())) await sleep(pollInterval)
    }
  }

  async *#added(): AsyncGenerator<readonly FoundRecord[]> {
    // The gateway may have cut off an incomplete block, and written another one.
    const scanner = new BlockScanner(this.#offset)
    const { choose, report } = this.#records
    for await (const lines of linesFrom(this.#source, scanner, report)) yield lines.flatMap(line => choose(line) ?? [])
    this.#offset = scanner.offset
  }

  /** Whether the segment has got its number. */
  async #isFull(): Promise<boolean> {
    try {
      return !(await this.#source.isAt(this.#active))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
      throw error
    }
  }

  /** Whether there is a next segment. */
  async #goOn(): Promise<boolean> {
    const full = (await fullSegments(this.#active)).find(({ number }) => number > this.#number)
    const file = full?.file ?? this.#active
    const next = existsSync(file) ? await Source.open(file, true) : undefined
    const number = next && (await headerOf(next))?.number
    // A copy may have taken the place of the segment.
    if (next === undefined || number === undefined || number < this.#number || (full && number !== full.number)) {
      await next?.close()
      return false
    }
    if (number > this.#number + 1) this.#reportMissing(file, number - 1)
    await this.#source.close()
    this.#source = next
    if (number !== this.#number) this.#offset = 0
    this.#number = number
    return true
  }

  #reportMissing(file: string, last: number): void {
    this.#records.report({ file, kind: 'missing', message: missingText(this.#number + 1, last) })
  }
}
