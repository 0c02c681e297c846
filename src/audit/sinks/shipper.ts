/** Delivers the journal to one sink: in order, at least once, for as long as it takes. */
import { isAfter } from '../position.ts'
import type { Cursor } from './cursor.ts'
import type { BlockEnd, FromSink } from './messages.ts'
import { type Item, type Sink, TryLater, timeOf } from './sink.ts'
import type { Batch, Spool } from './spool.ts'

export interface ShipperOptions {
  readonly sink: Sink
  readonly spool: Pick<Spool, 'beginning' | 'resumption' | 'next'>
  readonly cursor: Pick<Cursor, 'read' | 'advance' | 'save'>
  /** Where a new sink begins. */
  readonly start: 'beginning' | 'now'
  /** Milliseconds for which lines are collected. */
  readonly flushInterval: number
  /** Milliseconds until an attempt fails. */
  readonly timeout: number
  /** Milliseconds before the next attempt after a failed one: doubled each time, up to the longest. */
  readonly pauses?: { readonly first: number; readonly longest: number }
  readonly report: (message: FromSink) => void
}

export class Shipper {
  readonly #options: ShipperOptions
  #durable: BlockEnd | undefined
  #end: BlockEnd | undefined
  #isClosing = false
  /** Ends a wait for news or for the next attempt. */
  #wake = Promise.withResolvers<void>()

  constructor(options: ShipperOptions) {
    this.#options = options
  }

  /** The journal is durable up to here. */
  tell(durable: BlockEnd): void {
    this.#durable = durable
    this.#rouse()
  }

  /** Everything durable is still tried once; then `run` resolves. */
  close(): void {
    this.#isClosing = true
    this.#rouse()
  }

  #rouse(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }

  /** Resolves once closed. Never rejects. */
  async run(): Promise<void> {
    await this.#until(() => this.#durable !== undefined)
    if (this.#durable !== undefined && (await this.#retry(() => this.#begin()))) await this.#ship()
    this.#options.cursor.save()
  }

  async #begin(): Promise<void> {
    const { cursor, spool, start, report } = this.#options
    const durable = this.#durable!
    const known = cursor.read()
    if (known !== undefined) {
      const { place, gaps } = await spool.resumption(known, durable)
      this.#reportGaps(gaps)
      this.#end = place
    } else {
      this.#end = start === 'now' ? durable : await spool.beginning(durable)
    }
    report({ resumed: this.#end })
    cursor.advance(this.#end)
    // What comes after `now` must not depend on the next start.
    cursor.save()
  }

  /** Ends when closed: with nothing left to deliver, or after a failed attempt. */
  async #ship(): Promise<void> {
    const { report, cursor, spool } = this.#options
    for (;;) {
      await this.#until(() => this.#isBehind)
      if (!this.#isBehind) return
      await this.#collect()
      let batch: Batch | undefined
      const isRead = await this.#retry(async () => {
        batch = await spool.next(this.#end!, this.#durable!)
      })
      if (!isRead || batch === undefined) return
      this.#reportGaps(batch.gaps)
      if (!(await this.#deliver(batch.items))) return
      this.#end = batch.end
      cursor.advance(batch.end)
      report({ delivered: batch.end })
    }
  }

  /** One report, however many there are. */
  #reportGaps(gaps: readonly string[]): void {
    const [first, ...others] = gaps
    if (first === undefined) return
    this.#options.report({ gap: others.length === 0 ? first : `${first}, and ${others.length} more` })
  }

  async #deliver(items: readonly Item[]): Promise<boolean> {
    const { sink, report } = this.#options
    if (items.length === 0) return true
    report({ delivering: timeOf(items[0]!) })
    for (const part of sink.parts?.(items) ?? [items]) {
      if (!(await this.#retry(signal => sink.deliver(part, signal)))) return false
    }
    return true
  }

  get #isBehind(): boolean {
    return isAfter(this.#durable!, this.#end!)
  }

  /** Waits for more lines, unless there are enough. */
  #collect(): Promise<void> {
    const { flushInterval, sink } = this.#options
    return this.#pause(flushInterval, () => {
      const [place, durable] = [this.#end!, this.#durable!]
      return place.segment !== durable.segment || durable.offset - place.offset >= sink.batchSize
    })
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!this.#isClosing && !isTrue()) await this.#wake.promise
  }

  /** Resolves after so many milliseconds, up to 24 days, or as soon as a condition holds or this is closed. */
  async #pause(milliseconds: number, isOver = () => false): Promise<void> {
    let hasPassed = false
    const timer = setTimeout(() => {
      hasPassed = true
      this.#rouse()
    }, milliseconds)
    await this.#until(() => hasPassed || isOver())
    clearTimeout(timer)
  }

  /** Repeats the work until it succeeds. Resolves to false if it has failed and this is closed. */
  async #retry(work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    const { pauses = { first: 1000, longest: 60_000 } } = this.#options
    for (let pause = pauses.first; ; pause = Math.min(pause * 2, pauses.longest)) {
      const failure = await this.#attempt(work)
      if (failure === undefined) return true
      await this.#pause(failure instanceof TryLater ? Math.max(pause, failure.pause) : pause)
      if (this.#isClosing) return false
    }
  }

  /** Reports a failure, and an attempt that takes too long as soon as it does. */
  async #attempt(work: (signal: AbortSignal) => Promise<void>): Promise<unknown> {
    const { timeout, report } = this.#options
    const overdue = new AbortController()
    const timer = setTimeout(() => {
      report({ failed: `not delivered within ${timeout / 1000} s` })
      overdue.abort()
    }, timeout)
    try {
      await work(overdue.signal)
      return undefined
    } catch (error) {
      if (!overdue.signal.aborted) report({ failed: reasonOf(error) })
      return error
    } finally {
      clearTimeout(timer)
    }
  }
}

function reasonOf(error: unknown): string {
  // Of a host with several addresses, none of which could be reached.
  const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : []
  return first instanceof Error ? first.message : String(first)
}
