import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { Desks } from '../../../src/hsm/worker/desks.ts'

const threads: Worker[] = []

/** Threads that answer each call with its payload reversed, under a kind one higher. */
async function start(count: number, desks: Desks): Promise<void> {
  for (let started = 0; started < count; started++) {
    const thread = new Worker(new URL('./desk-clerk.ts', import.meta.url), { workerData: desks.shared })
    threads.push(thread)
    await once(thread, 'online')
  }
}

/** Puts `calls` calls on the desks, as they become free, and gives the answers by call. */
async function askAll(desks: Desks, calls: number): Promise<readonly { kind: number; text: string }[]> {
  const answers: { kind: number; text: string }[] = []
  const asked = new Map<number, number>()
  let next = 0
  for (let answered = 0; answered < calls; ) {
    const seen = desks.answers
    for (let desk = 0; desk < desks.count; desk++) {
      const call = asked.get(desk)
      const answer = call === undefined ? undefined : desks.takeAnswer(desk)
      if (answer !== undefined) {
        answers[call!] = { kind: answer.kind, text: answer.payload.toString() }
        asked.delete(desk)
        answered++
      }
      if (!asked.has(desk) && next < calls) {
        asked.set(desk, next)
        desks.ask(desk, next % 100, Buffer.from(`call ${next++}`))
      }
    }
    if (answered < calls) await desks.answeredSince(seen)
  }
  return answers
}

const expected = (calls: number) =>
  Array.from({ length: calls }, (_, call) => ({
    kind: (call % 100) + 1,
    text: [...`call ${call}`].reverse().join(''),
  }))

describe('the desks of a worker', () => {
  afterEach(async () => {
    await Promise.all(threads.splice(0).map(thread => thread.terminate()))
  })

  it.each([
    [1, 1],
    [3, 1],
    [1, 5],
    [4, 7],
    [3, 32],
  ])('let %i threads answer every call once, on %i desks', async (count, desks) => {
    const shared = Desks.create(desks)
    await start(count, shared)
    expect(await askAll(shared, 3000)).toEqual(expected(3000))
  })

  it('go on when their counters overflow', async () => {
    const desks = Desks.create(5)
    // All words are counters in the beginning, and those of calls, taken and answered, are among the first three.
    new Int32Array(desks.shared.control).fill(2 ** 31 - 100, 0, 3)
    await start(3, desks)
    expect(await askAll(desks, 1000)).toEqual(expected(1000))
  })

  it('have no room for more than 32 KiB, and leave what is behind it alone', () => {
    const desks = Desks.create(2)
    desks.ask(0, 1, Buffer.alloc(32 * 1024, 1))
    expect(() => desks.ask(0, 1, Buffer.alloc(32 * 1024 + 1, 1))).toThrow(RangeError)
    expect(
      Buffer.from(desks.shared.payloads)
        .subarray(32 * 1024)
        .every(byte => byte === 0),
    ).toBe(true)
  })

  it('keep nothing of a call or an answer that was taken', async () => {
    const desks = Desks.create(2)
    await start(1, desks)
    await askAll(desks, 10)
    expect(Buffer.from(desks.shared.payloads).every(byte => byte === 0)).toBe(true)
  })
})
