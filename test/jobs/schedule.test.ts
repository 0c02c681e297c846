import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { job } from '../../src/jobs/job.ts'
import { JobLease } from '../../src/jobs/job-lease.ts'
import { scheduleJobs } from '../../src/jobs/schedule.ts'
import type { JobServices } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const errors: object[] = []
const log = { error: (fields: object) => void errors.push(fields), warn() {}, info() {} }
/** What the database says of the lease. */
let fence: number | undefined
const committed: (number | undefined)[] = []
const outbox: Partial<JobServices['outbox']> = {
  record: async changes => void committed.push(changes.fence),
  act: async (_intent, act) => {
    const changes = new Changes()
    await act(changes)
    committed.push(changes.fence)
  },
}
function servicesOf() {
  const jobLease = new JobLease({ jobLease: { take: async () => fence, end: async () => {} }, log })
  return { log, outbox, jobLease } as unknown as JobServices & { jobLease: JobLease }
}

beforeEach(() => {
  fence = 1
  errors.length = 0
  committed.length = 0
})

describe('a job', () => {
  it('runs at once, and again after its interval since the end of the previous run', async () => {
    let runs = 0
    let end = Promise.withResolvers<void>()
    const run = async () => {
      runs++
      await end.promise
    }
    const schedule = scheduleJobs(
      [job({ name: 'slow', interval: 1000, perGateway: true, start: () => run })],
      servicesOf(),
    )
    expect(runs).toBe(1)
    await vi.advanceTimersByTimeAsync(5000)
    expect(runs).toBe(1)
    end.resolve()
    await vi.advanceTimersByTimeAsync(999)
    expect(runs).toBe(1)
    end = Promise.withResolvers()
    await vi.advanceTimersByTimeAsync(1)
    expect(runs).toBe(2)

    let closed = false
    const closing = schedule.close().then(() => (closed = true))
    await vi.advanceTimersByTimeAsync(5000)
    expect(closed).toBe(false)
    end.resolve()
    await closing
    await vi.advanceTimersByTimeAsync(5000)
    expect(runs).toBe(2)
  })

  it('runs once more at the end if it is to, after a run in progress', async () => {
    const runs: string[] = []
    const end = Promise.withResolvers<void>()
    const start = () => async () => {
      runs.push('begins')
      await end.promise
      runs.push('ends')
    }
    const last = job({ name: 'last', interval: 10, perGateway: true, runsAtEnd: true, start })
    const schedule = scheduleJobs([last], servicesOf())
    const closing = schedule.close()
    end.resolve()
    await closing
    expect(runs).toEqual(['begins', 'ends', 'begins', 'ends'])
  })

  it('that fails is logged and runs again', async () => {
    let runs = 0
    const run = async () => {
      runs++
      throw new Error('no luck')
    }
    const schedule = scheduleJobs(
      [job({ name: 'unlucky', interval: 10, perGateway: true, start: () => run })],
      servicesOf(),
    )
    await vi.advanceTimersByTimeAsync(25)
    expect(runs).toBe(3)
    expect(errors[0]).toMatchObject({ job: 'unlucky', err: new Error('no luck') })
    await schedule.close()
  })
})

describe('a job of the fleet', () => {
  it('runs only while the gateway has the lease, and forgets all when it has lost it', async () => {
    fence = undefined
    const runs: string[] = []
    let starts = 0
    const start = () => {
      const number = ++starts
      return async () => void runs.push(`run of start ${number}`)
    }
    const schedule = scheduleJobs([job({ name: 'fleet', interval: 1000, start })], servicesOf())
    await vi.advanceTimersByTimeAsync(3000)
    expect(runs).toEqual([])
    fence = 1
    await vi.advanceTimersByTimeAsync(3000)
    expect(new Set(runs)).toEqual(new Set(['run of start 1']))
    fence = undefined
    await vi.advanceTimersByTimeAsync(3000)
    fence = 3
    runs.length = 0
    await vi.advanceTimersByTimeAsync(3000)
    expect(new Set(runs)).toEqual(new Set(['run of start 2']))
    await schedule.close()
  })

  it.each(['record', 'act'] as const)(
    'commits by %s with the fence under which it began, and nothing after it is lost',
    async way => {
      const outcomes: string[] = []
      const start =
        ({ outbox }: JobServices) =>
        async () => {
          const [record] = [{}] as never[]
          for (const next of [1, undefined, 2]) {
            fence = next
            if (way === 'record') await services.jobLease.follow()
            const done =
              way === 'record' ? outbox.record(new Changes(), record!) : outbox.act(record!, async () => record!)
            await done.then(
              () => outcomes.push('committed'),
              error => outcomes.push(error instanceof Conflict ? 'refused' : 'failed'),
            )
          }
        }
      const services = servicesOf()
      const schedule = scheduleJobs([job({ name: 'stale', interval: 60_000, start })], services)
      await vi.advanceTimersByTimeAsync(10)
      expect(outcomes).toEqual(['committed', 'refused', 'refused'])
      expect(committed).toEqual([1])
      await schedule.close()
    },
  )
})
