/**
 * The threads of a worker that do cryptography, one call at a time each. Calls lie in memory that all of them share: a message to
 * another thread costs several times as much, and a thread that has done a call finds the next one without being woken.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Capabilities } from '../token/capabilities.ts'
import type { Handle } from '../token/cryptoki.ts'
import type { WorkerArgument } from '../wire/worker-argument.ts'
import { Desks, type SharedDesks } from './desks.ts'
import type { Answer } from './handlers.ts'

/** What a thread is started with. */
export interface ThreadData {
  readonly argument: WorkerArgument
  readonly capabilities: Capabilities
  readonly slot: Handle
  readonly desks: SharedDesks
}

export class ThreadPool {
  readonly #desks: Desks
  readonly #free: number[]
  /** By desk. */
  readonly #asked = new Map<number, (answer: Answer) => void>()

  private constructor(desks: Desks) {
    this.#desks = desks
    this.#free = Array.from({ length: desks.count }, (_, desk) => desk)
    void this.#collect()
  }

  /**
   * Resolves when the first thread is ready, so that a lost worker is soon replaced; the others follow one after another.
   *
   * @param calls that are in its hands at the same time, at the most
   */
  static async start(
    threads: number,
    calls: number,
    data: Pick<ThreadData, 'argument' | 'capabilities' | 'slot'>,
  ): Promise<ThreadPool> {
    const desks = Desks.create(calls)
    const workerData = { ...data, desks: desks.shared }
    await startThread(workerData)
    void startThreads(threads - 1, workerData)
    return new ThreadPool(desks)
  }

  /** Leaves a call to the thread that is the first to have time. @param kind of the request frame */
  perform(kind: number, payload: Buffer): Promise<Answer> {
    const desk = this.#free.pop()!
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#asked.set(desk, resolve)
    this.#desks.ask(desk, kind, payload)
    return promise
  }

  /** Makes every thread forget its sessions and handles before its next call. */
  renew(): void {
    this.#desks.renew()
  }

  async #collect(): Promise<never> {
    for (;;) {
      const seen = this.#desks.answers
      for (const [desk, resolve] of this.#asked) {
        const answer = this.#desks.takeAnswer(desk)
        if (answer === undefined) continue
        this.#asked.delete(desk)
        this.#free.push(desk)
        resolve(answer)
      }
      await this.#desks.answeredSince(seen)
    }
  }
}

async function startThreads(count: number, data: ThreadData): Promise<void> {
  for (let started = 0; started < count; started++) await startThread(data)
}

/** A thread that fails takes the process with it. */
function startThread(workerData: ThreadData): Promise<unknown> {
  const thread = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url), { workerData })
  return new Promise(resolve => thread.once('message', resolve))
}
