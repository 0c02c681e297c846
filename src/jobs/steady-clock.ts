/**
 * The time of day for irreversible actions, such as the destruction of keys. The wall clock can be wrong or be changed; the monotonic clock
 * cannot, but ends with the process. So the wall clock is trusted only while it agrees with the monotonic clock, and with the last reading
 * on disk. Otherwise it must first agree for a day.
 */
import type { ClockReading, ClockServices } from '../services.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
/** Total difference tolerated between the clocks, beyond that caused by slewing. */
const toleratedDrift = minute
/** NTP slews a clock by at most 0.05 % (RFC 5905, section 11.3). */
const slew = 0.001
/** Total time tolerated during which no gateway monitored the clock. */
const toleratedGap = hour

const consequence = 'scheduled deletions and rotations paused'

export class SteadyClock {
  readonly #services: ClockServices
  readonly #delay: number
  #last: { readonly wall: number; readonly elapsed: number } | undefined
  /** One observation at a time. */
  #turn: Promise<unknown> = Promise.resolve()

  /** @param delay milliseconds for which the clocks must agree before the wall clock is trusted again */
  constructor(services: ClockServices, delay: number) {
    this.#services = services
    this.#delay = delay
  }

  /**
   * Compares the clocks. Resolves to the milliseconds since the epoch, or to undefined while the wall clock is not trusted. Rejects if the
   * reading cannot be stored.
   */
  now(): Promise<number | undefined> {
    const turn = this.#turn.then(() => this.#observe())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #observe(): Promise<number | undefined> {
    const { storage, clock, elapsed, metrics, health, jobLease } = this.#services
    const at = { wall: clock(), elapsed: elapsed() }
    const { reading: before, database } = await storage.clock.read()
    const found = before === undefined ? this.#first(at.wall) : this.#after(before, at, database)
    const reading = { ...this.#judged(found), database }
    await storage.clock.write(reading, jobLease?.fence)
    this.#report(found, before?.trusted ?? found.trusted, reading.trusted)
    this.#last = at
    metrics.clockStable(reading.trusted)
    health.clock(reading.trusted)
    return reading.trusted ? at.wall : undefined
  }

  /** Without an earlier reading, the clock is not trusted if a key is pending deletion. */
  #first(wall: number): ClockReading {
    const trusted = this.#services.storage.keys.dueForDeletion(Number.POSITIVE_INFINITY).length === 0
    return { wall, trusted, observed: 0, drift: 0, gap: 0 }
  }

  /**
   * Adds what has happened since the last reading, by this process, or by another or none. A gateway that takes over from one on another
   * machine, whose clock may be apart, compares its own with that of the database.
   */
  #after(
    before: ClockReading,
    { wall, elapsed }: { wall: number; elapsed: number },
    database: number | undefined,
  ): ClockReading {
    const { drift, gap, observed } = before
    const passed = wall - before.wall
    if (this.#last?.wall !== before.wall) {
      const byDatabase = database !== undefined && before.database !== undefined ? database - before.database : passed
      const apart = Math.max(-passed, Math.abs(passed - byDatabase), 0)
      return { ...before, wall, gap: gap + Math.max(0, passed), drift: drift + apart }
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

  /** Logs a change of the verdict, and the first verdict of this process. */
  #report({ drift, gap, observed }: ClockReading, wasTrusted: boolean, isTrusted: boolean): void {
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
      log.info({ event: 'clock_stable' }, 'Clock is stable: scheduled deletions and rotations resume')
    else if (!isTrusted && this.#last === undefined)
      log.error({ event: 'clock_unstable', ...this.#wait(observed) }, `Clock is not stable yet: ${consequence}`)
  }

  #wait(observed: number): { readonly secondsToWait: number } {
    return { secondsToWait: Math.round((this.#delay - observed) / second) }
  }
}
