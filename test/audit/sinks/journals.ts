/** Journals for tests of sinks, and what is delivered of them. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FileJournal } from '../../../src/audit/file-journal.ts'
import type { Line } from '../../../src/audit/format.ts'
import type { Journal } from '../../../src/audit/journal.ts'
import { placeOf } from '../../../src/audit/position.ts'
import { Cursor, cursorFile } from '../../../src/audit/sinks/cursor.ts'
import type { BlockEnd, FromSink } from '../../../src/audit/sinks/messages.ts'
import { Shipper, type ShipperOptions } from '../../../src/audit/sinks/shipper.ts'
import type { Item, Sink } from '../../../src/audit/sinks/sink.ts'
import { Spool } from '../../../src/audit/sinks/spool.ts'
import { auditSink, type SinkConfig } from '../../../src/config/audit-sinks.ts'
import { aRecord, noBlock, openAt } from '../records.ts'

export interface TestJournal {
  readonly path: string
  readonly journal: FileJournal
  /** Each in a block of its own. */
  append(...lines: readonly Line[]): Promise<void>
  readonly place: BlockEnd
}

export async function openJournal(
  folder = temporaryFolder(),
  options: Parameters<typeof openAt>[1] = {},
): Promise<TestJournal> {
  const path = join(folder, 'audit.jsonl')
  const journal = await openAt(path, options)
  onTestFinished(() => journal.close().catch(() => undefined))
  return {
    path,
    journal,
    async append(...lines) {
      for (const line of lines) await journal.append(line)
    },
    get place() {
      return endOf(journal)
    },
  }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sinks-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function endOf({ head, position }: Pick<Journal, 'head' | 'position'>): BlockEnd {
  return { ...head, offset: placeOf(position)!.offset }
}

export function aCheckpoint(block = 1): { readonly checkpoint: Extract<Line, { checkpoint: unknown }>['checkpoint'] } {
  const time = '2026-11-28T10:00:00.000Z'
  return { checkpoint: { ...noBlock, block, time, key: 'ab'.repeat(32), signature: 'c2lnbmF0dXJl' } }
}

export function item(line: Line): Item {
  return { text: JSON.stringify(line), line }
}

export function aRecordItem(number: number, rest: Parameters<typeof aRecord>[1] = {}): Item {
  return item(aRecord(number, rest))
}

/** Keeps what it is given. */
export class Collector implements Sink {
  readonly batchSize: number
  readonly items: Item[] = []
  /** Called before each delivery; may throw. */
  readonly #before: (signal: AbortSignal) => void | Promise<void>

  constructor(before: (signal: AbortSignal) => void | Promise<void> = () => {}, batchSize = 1) {
    this.#before = before
    this.batchSize = batchSize
  }

  get texts(): readonly string[] {
    return this.items.map(({ text }) => text)
  }

  async deliver(items: readonly Item[], signal: AbortSignal): Promise<void> {
    await this.#before(signal)
    this.items.push(...items)
  }
}

export interface Shipping {
  readonly shipper: Shipper
  readonly reports: FromSink[]
  /** Resolves once everything up to there has been delivered. */
  delivered(place: BlockEnd): Promise<void>
  /** Resolves to the first report with this member. */
  reported(member: string): Promise<FromSink>
  readonly ended: Promise<void>
}

/** Ships a journal as the process of a sink does, without pauses. */
export function ship(
  path: string,
  sink: Sink,
  options: Partial<ShipperOptions> & { readonly records?: boolean; readonly name?: string } = {},
): Shipping {
  const { records = true, name = randomUUID() } = options
  const reports: FromSink[] = []
  const watchers = new Set<() => void>()
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      await new Promise<void>(resolve => watchers.add(resolve))
    }
  }
  const shipper = new Shipper({
    sink,
    spool: new Spool({ journal: path, records, batchSize: sink.batchSize }),
    cursor: new Cursor(cursorFile(path, name), () => {}),
    start: 'beginning',
    flushInterval: 0,
    timeout: 10_000,
    pauses: { first: 1, longest: 2 },
    report(message) {
      reports.push(message)
      for (const look of watchers) look()
      watchers.clear()
    },
    ...options,
  })
  const ended = shipper.run()
  onTestFinished(() => shipper.close())
  const hasPassed = (message: FromSink, { segment, offset }: BlockEnd) =>
    'delivered' in message &&
    (message.delivered.segment > segment ||
      (message.delivered.segment === segment && message.delivered.offset >= offset))
  return {
    shipper,
    reports,
    async delivered(place) {
      shipper.tell(place)
      await until(() => reports.find(message => hasPassed(message, place)))
    },
    reported: member => until(() => reports.find(message => member in message)),
    ended,
  }
}

/** Settings with their defaults; undefined ones are left out. */
export function configured(settings: object): SinkConfig {
  return auditSink.parse(JSON.parse(JSON.stringify(settings)))
}
