/** Objects in another thread or process. Each call is a message. */
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

/** Classes are not cloned in messages. */
export interface ClonedError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Of SQLite (sqlite.org/rescode.html). */
  readonly errcode: unknown
}

/** The way to an object. */
export interface Channel {
  send(call: Call): void
  /** Called once, before the first call. @param ended after the last answer: further calls are not made */
  receive(answer: (answer: Answer) => void, ended: (reason: Error) => void): void
}

export interface Closable {
  close(): Promise<void>
}

/** The caller's end: a subclass has a member for each method of the object. */
export abstract class RemoteObject<T extends Closable> {
  /** Resolves once the object can be used; rejects if it cannot be opened. */
  readonly opened: Promise<unknown>
  readonly #channel: Channel
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #calls = 0
  #ended: Error | undefined

  constructor(channel: Channel) {
    this.#channel = channel
    channel.receive(
      answer => this.#take(answer),
      reason => this.#end(reason),
    )
    this.opened = this.#wait(0)
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.call('close')()
  }

  protected call<M extends keyof T>(method: M): T[M] {
    const call = async (...args: readonly unknown[]) => {
      if (this.#ended) throw this.#ended
      const id = ++this.#calls
      this.#channel.send({ id, method, args })
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

  /** Calls in progress may or may not have been done. */
  #end(reason: Error): void {
    this.#ended ??= reason
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
  }
}

/** At the other end: says whether the object could be opened. */
export async function answerOpening(opening: Promise<unknown>): Promise<Answer> {
  try {
    await opening
    return { id: 0 }
  } catch (error) {
    return { id: 0, error: cloneable(error) }
  }
}

/** At the other end: makes a call. */
export async function answerCall<T>(opening: Promise<T> | T, { id, method, args }: Call): Promise<Answer> {
  try {
    const object = (await opening) as Record<PropertyKey, (...args: readonly unknown[]) => Promise<unknown>>
    return { id, result: await object[method]!(...args) }
  } catch (error) {
    return { id, error: cloneable(error) }
  }
}

function cloneable(thrown: unknown): ClonedError {
  const error: Error & { errcode?: unknown } = thrown instanceof Error ? thrown : new Error(String(thrown))
  return { name: error.name, message: error.message, stack: error.stack, errcode: error.errcode }
}
