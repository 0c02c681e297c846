/**
 * The threads of a worker that do cryptography, one call at a time each. A call is handed over in shared memory: a message to another
 * thread costs several times as much.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { WorkerArgument } from '../worker-process.ts'
import type { Capabilities } from './capabilities.ts'
import type { Handle } from './cryptoki.ts'
import type { Answer } from './handlers.ts'

/** What a thread is started with. */
export interface ThreadData {
  readonly argument: WorkerArgument
  readonly capabilities: Capabilities
  readonly slot: Handle
  readonly desk: Desk
  readonly shared: Shared
}

/** Where one thread finds its calls and leaves its answers. */
export interface Desk {
  /** Int32: one of `states`, kind, length of the payload. */
  readonly control: SharedArrayBuffer
  /** The payload. */
  readonly payload: SharedArrayBuffer
}

/** What all threads look at. */
export interface Shared {
  /** Int32: how many answers were ever given; the main thread waits for it to change. */
  readonly answers: SharedArrayBuffer
  /** Int32: grows when sessions and handles are void. */
  readonly epoch: SharedArrayBuffer
}

export const states = { idle: 0, asked: 1, answered: 2 } as const

/** Bytes; the longest call has an encryption context of 8192 bytes and a ciphertext of 6144. */
const deskSize = 32 * 1024

interface Seat {
  readonly control: Int32Array<SharedArrayBuffer>
  readonly payload: Buffer
  answer: ((answer: Answer) => void) | undefined
}

export class ThreadPool {
  readonly #answers: Int32Array<SharedArrayBuffer>
  readonly #epoch: Int32Array<SharedArrayBuffer>
  readonly #free: Seat[]
  readonly #busy = new Set<Seat>()
  readonly #waiting: (() => void)[] = []

  private constructor(first: Seat, shared: Shared) {
    this.#free = [first]
    this.#answers = new Int32Array(shared.answers)
    this.#epoch = new Int32Array(shared.epoch)
    void this.#collect()
  }

  /** Resolves when the first thread is ready, so that a lost worker is soon replaced; the others follow one after another. */
  static async start(count: number, data: Pick<ThreadData, 'argument' | 'capabilities' | 'slot'>): Promise<ThreadPool> {
    const shared = { answers: new SharedArrayBuffer(4), epoch: new SharedArrayBuffer(4) }
    const seat = async (): Promise<Seat> => {
      const desk = { control: new SharedArrayBuffer(12), payload: new SharedArrayBuffer(deskSize) }
      await startThread({ ...data, desk, shared })
      return { control: new Int32Array(desk.control), payload: Buffer.from(desk.payload), answer: undefined }
    }
    const pool = new ThreadPool(await seat(), shared)
    void pool.#grow(count - 1, seat)
    return pool
  }

  /** Does a call in a thread that has nothing to do. @param kind of the request frame */
  async perform(kind: number, payload: Buffer): Promise<Answer> {
    if (this.#free.length === 0) await new Promise<void>(resolve => this.#waiting.push(resolve))
    const seat = this.#free.pop()!
    this.#busy.add(seat)
    payload.copy(seat.payload)
    seat.control[1] = kind
    seat.control[2] = payload.length
    const { promise, resolve } = Promise.withResolvers<Answer>()
    seat.answer = resolve
    Atomics.store(seat.control, 0, states.asked)
    Atomics.notify(seat.control, 0)
    return promise
  }

  /** Makes every thread forget its sessions and handles before its next call. */
  renew(): void {
    Atomics.add(this.#epoch, 0, 1)
  }

  async #grow(count: number, seat: () => Promise<Seat>): Promise<void> {
    for (let started = 0; started < count; started++) this.#release(await seat())
  }

  #release(seat: Seat): void {
    this.#free.push(seat)
    this.#waiting.shift()?.()
  }

  async #collect(): Promise<never> {
    for (;;) {
      const seen = Atomics.load(this.#answers, 0)
      for (const seat of this.#busy) if (Atomics.load(seat.control, 0) === states.answered) this.#take(seat)
      const change = Atomics.waitAsync(this.#answers, 0, seen)
      if (change.async) await change.value
    }
  }

  #take(seat: Seat): void {
    const { control, payload, answer } = seat
    const [, kind, length] = control
    const taken = Buffer.from(payload.subarray(0, length))
    payload.fill(0, 0, length)
    control[0] = states.idle
    this.#busy.delete(seat)
    answer!({ kind: kind!, payload: taken })
    this.#release(seat)
  }
}

/** A thread that fails takes the process with it. */
function startThread(workerData: ThreadData): Promise<unknown> {
  const thread = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url), { workerData })
  return new Promise(resolve => thread.once('message', resolve))
}
