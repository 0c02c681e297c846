import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DeadlineTimer } from '../../../src/hsm/pool/deadline-timer.ts'

describe('a deadline timer', () => {
  let expired: number[]
  let timer: DeadlineTimer

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
    expired = []
    timer = new DeadlineTimer(() => expired.push(performance.now()))
  })
  afterEach(() => void vi.useRealTimers())

  const inTime = (milliseconds: number) => performance.now() + milliseconds

  it('expires once, at the earliest of its deadlines', () => {
    const start = performance.now()
    for (const milliseconds of [300, 100, 200]) timer.watch(inTime(milliseconds))
    vi.advanceTimersByTime(1000)
    expect(expired).toHaveLength(1)
    expect(expired[0]! - start).toBeGreaterThanOrEqual(100)
    expect(expired[0]! - start).toBeLessThan(200)
  })

  it('does not expire once it is stopped, though the deadline has passed and answers are read first', () => {
    timer.watch(inTime(100))
    setTimeout(() => timer.stop(), 100)
    vi.advanceTimersByTime(1000)
    expect(expired).toEqual([])
  })

  it('that is stopped after its deadline and watches another one keeps to that', () => {
    const start = performance.now()
    timer.watch(inTime(100))
    setTimeout(() => {
      timer.stop()
      timer.watch(inTime(500))
    }, 100)
    vi.advanceTimersByTime(1000)
    expect(expired).toHaveLength(1)
    expect(expired[0]! - start).toBeGreaterThanOrEqual(600)
  })
})
