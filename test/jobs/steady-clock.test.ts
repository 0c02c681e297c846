import { beforeEach, describe, expect, it } from 'vitest'
import { SteadyClock } from '../../src/jobs/steady-clock.ts'
import type { LogFields } from '../../src/log.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { Changes, type ClockReading, type Storage } from '../../src/storage/storage.ts'
import { openHere } from '../storage/open.ts'
import { aKey } from '../storage/records.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

let storage: Storage
/** Of the machine's clock. */
let wall: number
let elapsed: number
let clock: SteadyClock
let said: string[]
let shown: boolean[]

beforeEach(async () => {
  storage = await openHere(sqlite(':memory:', { create: true }))
  wall = 1_700_000_000_000
  said = []
  shown = []
  start()
})

/** Starts a process, with a new monotonic clock. */
function start(): void {
  elapsed = Math.random() * 1000
  const say = ({ event }: LogFields) => void said.push(event)
  clock = new SteadyClock(
    {
      storage,
      clock: () => wall,
      elapsed: () => elapsed,
      metrics: { clockStable: trusted => void shown.push(trusted) },
      health: { clock: () => {} },
      log: { error: say, warn: say, info: say },
    },
    day,
  )
}

const isTrusted = async () => (await clock.now()) !== undefined

/** Time passes, and the clock is looked at each minute. @param rate of the machine's clock */
async function pass(time: number, rate = 1): Promise<boolean> {
  let trusted = false
  for (let passed = 0; passed < time; passed += minute) {
    elapsed += minute
    wall += minute * rate
    trusted = await isTrusted()
  }
  return trusted
}

async function restart(stopped: number): Promise<boolean> {
  wall += stopped
  start()
  return isTrusted()
}

describe('the clock is trusted', () => {
  it.each<[string, () => Promise<boolean>]>([
    ['in a new installation, whenever it starts', isTrusted],
    ['while it keeps step', () => pass(3 * hour)],
    ['while NTP slews it', () => pass(3 * day, 1.0005)],
    [
      'after steps of some seconds',
      async () => {
        for (const step of [5, -3, 20]) {
          wall += step * second
          await pass(hour)
        }
        return isTrusted()
      },
    ],
    ['after a restart of some minutes', async () => (await pass(hour)) && restart(10 * minute)],
    [
      'in spite of many quick restarts',
      async () => {
        for (let restarts = 0; restarts < 100; restarts++) await pass(hour).then(() => restart(20 * second))
        return isTrusted()
      },
    ],
  ])('%s', async (_, live) => {
    expect(await live()).toBe(true)
    expect(said).toEqual([])
  })
})

describe('the clock is not trusted', () => {
  const jump = async (by: number) => {
    await pass(hour)
    wall += by
    return isTrusted()
  }

  it.each<[string, () => Promise<boolean>]>([
    ['after a jump of 30 days ahead', () => jump(30 * day)],
    ['after a jump of two minutes', () => jump(2 * minute)],
    ['after a jump of an hour back', () => jump(-hour)],
    [
      'after a jump ahead and back',
      async () => {
        await jump(30 * day)
        await pass(hour)
        return jump(-30 * day)
      },
    ],
    [
      'after many small jumps',
      async () => {
        for (let jumps = 0; jumps < 4; jumps++) await jump(20 * second)
        return isTrusted()
      },
    ],
    ['when it runs too fast', () => pass(day, 1.05)],
    [
      'when the machine was suspended, since the monotonic clock stood still',
      async () => {
        await pass(hour)
        wall += 8 * hour
        return isTrusted()
      },
    ],
    ['when it was 30 days ahead at a start', async () => (await pass(hour)) && restart(30 * day)],
    ['when it was an hour behind at a start', async () => (await pass(hour)) && restart(-hour)],
    [
      'when a key is to be destroyed that is older than the first look',
      async () => {
        const changes = new Changes()
        changes.put('keys', aKey(1, { state: 'PendingDeletion', deletionDate: wall }))
        await storage.commit(changes)
        return isTrusted()
      },
    ],
    [
      'when many restarts have left an hour unwatched within a day',
      async () => {
        for (let restarts = 0; restarts < 5; restarts++) await pass(hour).then(() => restart(15 * minute))
        return isTrusted()
      },
    ],
  ])('%s, and is a day later', async (_, live) => {
    expect(await live()).toBe(false)
    expect(shown.at(-1)).toBe(false)
    expect(said.at(-1)).toMatch(/^clock_(jumped|unwatched|unstable)$/)
    expect(await pass(day - hour)).toBe(false)
    expect(await pass(2 * hour)).toBe(true)
    expect(shown.at(-1)).toBe(true)
    expect(said.at(-1)).toBe('clock_stable')
  })

  it('sooner with constant restarts, or later with hourly ones', async () => {
    await jump(30 * day)
    for (let restarts = 0; restarts < 1000; restarts++) expect(await restart(second)).toBe(false)
    for (let hours = 0; hours < 23; hours++) {
      expect(await pass(hour)).toBe(false)
      expect(await restart(5 * second)).toBe(false)
    }
    expect(said.at(-1)).toBe('clock_unstable')
    expect(await pass(2 * hour)).toBe(true)
  })

  it('before it has been stable for a whole day since the last jump', async () => {
    for (let jumps = 0; jumps < 5; jumps++) {
      await jump(jumps % 2 === 0 ? 30 * day : -30 * day)
      expect(await pass(20 * hour)).toBe(false)
    }
  })

  it('if its reading cannot be stored', async () => {
    await storage.close()
    await expect(clock.now()).rejects.toThrow()
  })
})

describe('between two gateways, of which one or the other runs the jobs', () => {
  const key = aKey(1, { state: 'PendingDeletion', deletionDate: 1_700_000_000_000 + 30 * day })

  it.each<[string, number, boolean]>([
    ['as far apart as NTP allows', 2 * second, true],
    ['two minutes ahead', 2 * minute, false],
    ['half an hour ahead', 30 * minute, false],
    ['two minutes behind', -2 * minute, false],
    ['a day behind', -day, false],
  ])('one whose clock is %s takes over', async (_, apart, trusted) => {
    let reading: ClockReading | undefined
    /** The true time, by which the database goes. */
    let now = 1_700_000_000_000
    const gateway = (ahead: number) => {
      const log = { error() {}, warn() {}, info() {} }
      const stored = {
        keys: storage.keys,
        clock: {
          read: async () => ({ reading, database: now }),
          write: async (written: ClockReading) => {
            reading = written
          },
        },
      } as unknown as Storage
      const services = { metrics: { clockStable() {} }, health: { clock() {} }, log, storage: stored }
      return new SteadyClock({ ...services, clock: () => now + ahead, elapsed: () => now }, day)
    }
    const [first, second] = [gateway(0), gateway(apart)]
    await first.now()
    const changes = new Changes()
    changes.put('keys', key)
    await storage.commit(changes)
    now += minute
    expect(await first.now()).toBe(now)
    now += 10_000
    expect(await second.now()).toBe(trusted ? now + apart : undefined)
    now += minute
    expect(await second.now()).toBe(trusted ? now + apart : undefined)
    now += 10_000
    // The first one counts what the other has found, too.
    expect((await first.now()) !== undefined).toBe(trusted)
  })
})
