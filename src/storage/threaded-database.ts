/**
 * An SQLite database in a thread of its own: the library blocks on the disk in each call. A call, such as a whole transaction, is one
 * message.
 */
import { extname } from 'node:path'
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { OperatorError } from '../errors.ts'
import type { SqlDatabase } from './sql-database.ts'
import { Conflict } from './storage.ts'

/** Start parameters of the thread. */
export interface ThreadData {
  readonly path: string
  readonly create: boolean
}

/** ID 0 is the opening of the database, at the start. */
export interface Call {
  readonly id: number
  readonly method: keyof SqlDatabase
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

/** The thread holds only rows in transit: a small young generation keeps it small. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 }

/**
 * Resolves once the database is readable and writable. Throws OperatorError. @param data path of the file, and whether it may be created
 */
export async function openInThread(data: ThreadData): Promise<SqlDatabase> {
  const thread = new DatabaseThread(data)
  await thread.opened
  return thread
}

class DatabaseThread implements SqlDatabase {
  readonly opened: Promise<unknown>
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #calls = 0
  #ended: Error | undefined

  constructor(workerData: ThreadData) {
    const file = new URL(`./database-thread${extname(import.meta.url)}`, import.meta.url)
    // With the environment for the compile cache: without it the thread starts a second later and takes 25 MB more.
    this.#worker = new Worker(file, { workerData, resourceLimits, env: SHARE_ENV })
    this.#worker.on('message', (answer: Answer) => this.#take(answer))
    this.#worker.on('error', error => {
      this.#ended ??= error
    })
    // Emitted after all messages; `error` may come before.
    this.#worker.on('exit', () => this.#end(new Error('the thread of the database has ended')))
    this.opened = this.#wait(0)
  }

  readonly load = this.#call('load')
  readonly listKeys = this.#call('listKeys')
  readonly listAliases = this.#call('listAliases')
  readonly listGrants = this.#call('listGrants')
  readonly commit = this.#call('commit')
  readonly heldRecords = this.#call('heldRecords')
  readonly removeRecords = this.#call('removeRecords')
  readonly readPosition = this.#call('readPosition')
  readonly readAccessKeyUse = this.#call('readAccessKeyUse')
  readonly writeAccessKeyUses = this.#call('writeAccessKeyUses')
  readonly readKeyUse = this.#call('readKeyUse')
  readonly writeKeyUses = this.#call('writeKeyUses')
  readonly beginTracking = this.#call('beginTracking')
  readonly loadEncryptionCounts = this.#call('loadEncryptionCounts')
  readonly writeEncryptionCounts = this.#call('writeEncryptionCounts')
  readonly endTracking = this.#call('endTracking')
  readonly readClock = this.#call('readClock')
  readonly writeClock = this.#call('writeClock')
  readonly readLastRun = this.#call('readLastRun')
  readonly writeLastRun = this.#call('writeLastRun')
  readonly check = this.#call('check')
  readonly #close = this.#call('close')

  async close(): Promise<void> {
    if (!this.#ended) await this.#close()
  }

  #call<M extends keyof SqlDatabase>(method: M): SqlDatabase[M] {
    const call = async (...args: readonly unknown[]) => {
      if (this.#ended) throw this.#ended
      const id = ++this.#calls
      this.#worker.postMessage({ id, method, args } satisfies Call)
      return this.#wait(id)
    }
    return call as SqlDatabase[M]
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
    else waiting.reject(revived(error))
  }

  /** Calls in progress may or may not be on disk; no further calls are made. */
  #end(reason: Error): void {
    this.#ended ??= reason
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
  }
}

function revived({ name, message, ...rest }: ClonedError): Error {
  if (name === 'Conflict') return new Conflict(message)
  if (name === 'OperatorError') return new OperatorError(message)
  return Object.assign(new Error(message), { name, ...rest })
}
