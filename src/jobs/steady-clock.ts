/**
 * The time of day for what cannot be undone: the destruction of keys now, their expiry later. A machine's clock can be wrong, and
 * be set; the monotonic clock cannot, but ends with the process. So the time of day counts only while it has kept step with the
 * monotonic clock, and with what was on disk when the gateway started. Otherwise it has to keep step for a day first.
 */
import type { ClockReading, ClockServices } from '../services.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
/** By how much the clocks may differ in sum; beyond what slewing a clock to the right time makes, which is counted apart. */
const toleratedDrift = minute
/** NTP slews a clock by 0.05 % at the most (RFC 5905, section 11.3). */
const slew = 0.001
/** How long, in sum, nobody may have watched the clock, because no gateway ran. */
const toleratedGap = hour

const consequence = 'scheduled deletions paused'

export class SteadyClock {
  readonly #services: ClockServices
  readonly #delay: number
  #last: { readonly wall: number; readonly elapsed: number } | undefined
  /** One observation at a time. */
  #turn: Promise<unknown> = Promise.resolve()

  /** @param delay milliseconds for which the clocks must keep step before the time of day is trusted again */
  constructor(services: ClockServices, delay: number) {
    this.#services = services
    this.#delay = delay
  }

  /**
   * Compares the clocks. Resolves to the milliseconds since the epoch, or to undefined while they are not to be trusted. Rejects when
   * the comparison cannot be remembered.
   */
  now(): Promise<number | undefined> {
    const turn = this.#turn.then(() => this.#observe())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #observe(): Promise<number | undefined> {
    const { storage, clock, elapsed, metrics, health } = this.#services
    const at = { wall: clock(), elapsed: elapsed() }
    const before = await storage.clock.read()
    const found = before === undefined ? this.#first(at.wall) : this.#after(before, at)
    const reading = this.#judged(found)
    await storage.clock.write(reading)
    this.#tell(found, before?.trusted ?? found.trusted, reading.trusted)
    this.#last = at
    metrics.clockTrusted(reading.trusted)
    health.clock(reading.trusted)
    return reading.trusted ? at.wall : undefined
  }

  /** Where nobody has ever looked at the clock, and a key is to be destroyed, nothing is known. */
  #first(wall: number): ClockReading {
    const trusted = this.#services.storage.keys.dueForDeletion(Number.POSITIVE_INFINITY).length === 0
    return { wall, trusted, observed: 0, drift: 0, gap: 0 }
  }

  /** What was added since the last reading: by this process, or while none was running. */
  #after(before: ClockReading, { wall, elapsed }: { wall: number; elapsed: number }): ClockReading {
    const { drift, gap, observed } = before
    const passed = wall - before.wall
    if (this.#last === undefined) {
      return { ...before, wall, gap: gap + Math.max(0, passed), drift: drift + Math.max(0, -passed) }
    }
    const steady = elapsed - this.#last.elapsed
    const difference = Math.max(0, Math.abs(passed - steady) - steady * slew)
    return { ...before, wall, drift: drift + difference, observed: observed + steady }
  }

  #judged(reading: ClockReading): ClockReading {
    const { drift, gap, observed } = reading
    const fresh = { observed: 0, drift: 0, gap: 0 }
    if (drift > toleratedDrift || gap > toleratedGap) return { ...reading, ...fresh, trusted: false }
    return observed < this.#delay ? reading : { ...reading, ...fresh, trusted: true }
  }

  /** Tells what the verdict is, when it is a new one, or the first of this process. @param reading what it was judged from */
  #tell({ drift, gap, observed }: ClockReading, wasTrusted: boolean, isTrusted: boolean): void {
    const { log } = this.#services
    const why = {
      secondsMoved: Math.round(drift / second),
      secondsUnwatched: Math.round(gap / second),
      ...this.#wait(0),
    }
    if (drift > toleratedDrift) log.error({ event: 'clock_jumped', ...why }, `Wall clock jumped: ${consequence}`)
    else if (gap > toleratedGap)
      log.error({ event: 'clock_unwatched', ...why }, `No gateway was running: ${consequence}`)
    else if (isTrusted && !wasTrusted)
      log.info({ event: 'clock_stable' }, 'Clock is stable: scheduled deletions resume')
    else if (!isTrusted && this.#last === undefined)
      log.error({ event: 'clock_unstable', ...this.#wait(observed) }, `Clock is not stable yet: ${consequence}`)
  }

  #wait(observed: number): { readonly secondsToWait: number } {
    return { secondsToWait: Math.round((this.#delay - observed) / second) }
  }
}
