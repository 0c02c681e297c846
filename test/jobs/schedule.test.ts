import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { job } from '../../src/jobs/job.ts'
import { scheduleJobs } from '../../src/jobs/schedule.ts'
import type { JobServices } from '../../src/services.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const errors: object[] = []
const services = { log: { error: (fields: object) => void errors.push(fields) } } as unknown as JobServices

describe('a job', () => {
  it('runs at once, and again after its interval since the end of the previous run', async () => {
    let runs = 0
    let end = Promise.withResolvers<void>()
    const run = async () => {
      runs++
      await end.promise
    }
    const schedule = scheduleJobs([job({ name: 'slow', interval: 1000, start: () => run })], services)
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
    const schedule = scheduleJobs([job({ name: 'last', interval: 10, runsAtEnd: true, start })], services)
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
    const schedule = scheduleJobs([job({ name: 'unlucky', interval: 10, start: () => run })], services)
    await vi.advanceTimersByTimeAsync(25)
    expect(runs).toBe(3)
    expect(errors[0]).toMatchObject({ job: 'unlucky', err: new Error('no luck') })
    await schedule.close()
  })
})
