import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Call, timedOut, tooMany } from '../../../src/hsm/pool/call.ts'
import { WaitingCalls } from '../../../src/hsm/pool/waiting-calls.ts'

/** Outcomes by the payload of the call. */
let outcomes: Record<string, string>
const owner = {
  answered: () => {},
  failed: (call: Call, { returnCode }: { returnCode: string }) => {
    outcomes[call.caller] = returnCode
  },
}

function call(caller: string, timeout: number): Call {
  return new Call({ name: 'random', payload: Buffer.alloc(4, 1), caller, timeout }, owner)
}

beforeEach(() => {
  outcomes = {}
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('calls that wait for a worker', () => {
  it('each fail at their own time-out, in whatever order they came', async () => {
    const waiting = new WaitingCalls({ bound: 10, patience: 1, expired: timedOut })
    for (const [caller, timeout] of [
      ['long', 3000],
      ['short', 1000],
      ['middle', 2000],
    ] as const)
      waiting.add(call(caller, timeout))
    await vi.advanceTimersByTimeAsync(1100)
    expect(outcomes).toEqual({ short: 'timeout' })
    await vi.advanceTimersByTimeAsync(1000)
    expect(outcomes).toEqual({ short: 'timeout', middle: 'timeout' })
    await vi.advanceTimersByTimeAsync(1000)
    expect(Object.keys(outcomes)).toContain('long')
    expect(waiting.size).toBe(0)
  })

  it('are refused early if their callers are in a hurry', async () => {
    const waiting = new WaitingCalls({ bound: 10, patience: 1, expired: timedOut })
    const latest = performance.now() + 1000
    const urgent = { name: 'random', payload: Buffer.alloc(4, 1), timeout: 5000, latest } as const
    waiting.add(new Call({ ...urgent, caller: 'urgent', isUrgent: true }, owner))
    waiting.add(new Call({ ...urgent, caller: 'patient' }, owner))
    await vi.advanceTimersByTimeAsync(600)
    expect(outcomes).toEqual({ urgent: 'queue_full' })
    await vi.advanceTimersByTimeAsync(600)
    expect(outcomes).toEqual({ urgent: 'queue_full', patient: 'timeout' })
  })

  it('share one timer, which ends with the last of them', async () => {
    const waiting = new WaitingCalls({ bound: 100, patience: 1, expired: timedOut })
    for (let i = 0; i < 100; i++) waiting.add(call(`${i}`, 1000))
    expect(vi.getTimerCount()).toBe(1)
    while (waiting.size > 0) waiting.take()
    await vi.advanceTimersByTimeAsync(1100)
    expect(vi.getTimerCount()).toBe(0)
    expect(outcomes).toEqual({})
  })

  it('leave enough of their time for the work itself', async () => {
    const waiting = new WaitingCalls({ bound: 10, patience: 0.5, expired: tooMany })
    waiting.add(call('generation', 1000))
    await vi.advanceTimersByTimeAsync(450)
    expect(outcomes).toEqual({})
    await vi.advanceTimersByTimeAsync(100)
    expect(outcomes).toEqual({ generation: 'queue_full' })
  })

  it('are refused if too many wait, except one that a worker had before', () => {
    const waiting = new WaitingCalls({ bound: 1, patience: 1, expired: timedOut })
    waiting.add(call('first', 1000))
    waiting.add(call('second', 1000))
    expect(outcomes).toEqual({ second: 'queue_full' })
    const retry = call('retry', 1000)
    retry.sent()
    waiting.add(retry)
    expect(waiting.size).toBe(2)
  })

  it('lose their payload when they fail', () => {
    const refused = call('second', 1000)
    const waiting = new WaitingCalls({ bound: 0, patience: 1, expired: timedOut })
    waiting.add(refused)
    expect(refused.payload).toEqual(Buffer.alloc(4))
  })
})
