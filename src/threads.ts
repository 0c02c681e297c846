/** Objects in a thread of their own, as their library blocks, on the disk for example. Each call is a message. */
import { parentPort, type ResourceLimits, SHARE_ENV, Worker } from 'node:worker_threads'
import { OperatorError } from './errors.ts'

/** ID 0 is the opening of the object, at the start. */
export interface Call {
  readonly id: number
  readonly method: PropertyKey
  readonly args: readonly unknown[]
}

export interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: ClonedError
}

/** Classes are not cloned between threads. */
export interface ClonedError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Of SQLite (sqlite.org/rescode.html). */
  readonly errcode: unknown
}

interface Closable {
  close(): Promise<void>
}

/** The caller's end of an object in a thread: a subclass has a member for each of its methods. */
export abstract class ThreadedObject<T extends Closable> {
  /** Resolves once the object can be used; rejects if it cannot be opened. */
  readonly opened: Promise<unknown>
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #calls = 0
  #ended: Error | undefined

  /** @param file of the thread: see serveInThread */
  constructor(file: URL, workerData: unknown, resourceLimits: ResourceLimits) {
    // With the environment for the compile cache: without it the thread starts a second later and takes 25 MB more.
    this.#worker = new Worker(file, { workerData, resourceLimits, env: SHARE_ENV })
    this.#worker.on('message', (answer: Answer) => this.#take(answer))
    this.#worker.on('error', error => {
      this.#ended ??= error
    })
    // Emitted after all messages; `error` may come before.
    this.#worker.on('exit', () => this.#end(new Error('the thread has ended')))
    this.opened = this.#wait(0)
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.call('close')()
  }

  protected call<M extends keyof T>(method: M): T[M] {
    const call = async (...args: readonly unknown[]) => {
      if (this.#ended) throw this.#ended
      const id = ++this.#calls
      this.#worker.postMessage({ id, method, args } satisfies Call)
      return this.#wait(id)
    }
    return call as T[M]
  }

  protected revived({ name, message, ...rest }: ClonedError): Error {
    return name === 'OperatorError' ? new OperatorError(message) : Object.assign(new Error(message), { name, ...rest })
  }

  #wait(id: number): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    return waiting.promise
  }

  #take({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id)!
    this.#waiting.delete(id)
    if (error === undefined) waiting.resolve(result)
    else waiting.reject(this.revived(error))
  }

  /** Calls in progress may or may not have been done; no further calls are made. */
  #end(reason: Error): void {
    this.#ended ??= reason
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
  }
}

/** In the thread: answers the calls until the object is closed. */
export async function serveInThread<T extends Closable>(opening: Promise<T>): Promise<void> {
  const port = parentPort!
  port.on('message', async ({ id, method, args }: Call) => {
    port.postMessage(await answer(opening, id, method as keyof T, args))
    if (method === 'close') port.close()
  })
  try {
    await opening
    port.postMessage({ id: 0 } satisfies Answer)
  } catch (error) {
    port.postMessage({ id: 0, error: cloneable(error) } satisfies Answer)
    port.close()
  }
}

async function answer<T>(opening: Promise<T>, id: number, method: keyof T, args: readonly unknown[]): Promise<Answer> {
  try {
    const object = await opening
    return { id, result: await (object[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args) }
  } catch (error) {
    return { id, error: cloneable(error) }
  }
}

function cloneable(thrown: unknown): ClonedError {
  const error: Error & { errcode?: unknown } = thrown instanceof Error ? thrown : new Error(String(thrown))
  return { name: error.name, message: error.message, stack: error.stack, errcode: error.errcode }
}
