/** The gateway's end of one worker process: sends it calls, settles them, and notices when it is of no use any more. */
import { performance } from 'node:perf_hooks'
import { Failure, OperatorError } from '../errors.ts'
import { type Child, diedOf, startChild } from './child.ts'
import type { TokenAddress } from './connection.ts'
import { FrameReader, FrameWriter } from './frames.ts'
import {
  type CallFailure,
  type CallName,
  calls,
  decodeFailure,
  decodeJson,
  type StartFailure,
  startId,
  status,
} from './messages.ts'

/** What a worker is told when it starts. */
export interface WorkerArgument extends TokenAddress {
  readonly pinFile: string
  /** Name of the profile. */
  readonly profile: string
  readonly strictCustody: boolean
}

/** One call, for as long as it is not settled. Times are those of performance.now(). */
export interface Call {
  readonly name: CallName
  readonly payload: Buffer
  readonly startedAt: number
  readonly deadline: number
  /** The one that it is meant for, as long as that one lives. */
  readonly worker?: WorkerProcess | undefined
  /** How many workers were given it. */
  attempts: number
  /** What the last worker said before it ended. */
  lastFailure?: CallFailure
  answer(payload: Buffer): void
  fail(failure: CallFailure): void
}

/** A worker that could not start. */
export class StartError extends OperatorError {
  override readonly name = 'StartError'
  readonly pinRefused: boolean

  constructor({ message, pinRefused }: StartFailure) {
    super(message)
    this.pinRefused = pinRefused
  }
}

const startDeadline = 60_000
const idRange = 2 ** 32

export class WorkerProcess {
  /** Resolves when the worker is logged in; rejects with a StartError. */
  readonly ready: Promise<void>
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
  readonly pending = new Map<number, Call>()
  lost = false
  /** It has done something useful. */
  proven = false

  readonly #child: Child
  readonly #writer: FrameWriter
  readonly #onLost: (worker: WorkerProcess, unfinished: readonly Call[], reason: string) => void
  readonly #start = Promise.withResolvers<void>()
  #isStarted = false
  #lastId = startId
  #timer: NodeJS.Timeout | undefined
  #timerEnd = Number.POSITIVE_INFINITY

  /**
   * @param onLost called once, as soon as nothing can be expected of the worker any more, with the calls it leaves behind
   * @param onErrors called with what the worker writes to its standard error
   */
  constructor(
    argument: WorkerArgument,
    environment: Readonly<Record<string, string>>,
    onLost: (worker: WorkerProcess, unfinished: readonly Call[], reason: string) => void,
    onErrors: (worker: WorkerProcess, text: string) => void,
  ) {
    this.#onLost = onLost
    this.ready = this.#start.promise
    this.#child = startChild('worker', argument, environment)
    const { process, socket, errors } = this.#child
    this.#writer = new FrameWriter((batch, sent) => socket.write(batch, sent))
    const reader = new FrameReader((id, kind, payload) => this.#receive(id, kind, payload))
    socket.on('data', chunk => this.#read(reader, chunk))
    // Its end says the same, once everything that it wrote has been read.
    socket.on('error', () => {})
    errors.on('data', chunk => onErrors(this, String(chunk)))
    const ended = Promise.withResolvers<void>()
    this.ended = ended.promise
    process.on('error', error => this.#lose(error.message))
    process.on('close', (code, signal) => {
      this.#lose(signal ?? `exit code ${code}`)
      ended.resolve()
    })
    this.#watch(performance.now() + startDeadline)
  }

  get pid(): number | undefined {
    return this.#child.process.pid
  }

  send(call: Call): void {
    this.#lastId = (this.#lastId + 1) % idRange || 1
    this.pending.set(this.#lastId, call)
    call.attempts++
    this.#writer.write(this.#lastId, calls[call.name].kind, call.payload)
    this.#watch(call.deadline)
  }

  /** Lets the worker end by itself; kills it when it does not within the grace, in milliseconds. */
  async end(grace: number): Promise<void> {
    this.lost = true
    clearTimeout(this.#timer)
    this.#child.socket.end()
    const timer = setTimeout(() => this.kill(), grace)
    await this.ended
    clearTimeout(timer)
  }

  /** The only thing that ends a native call which does not return. */
  kill(): void {
    this.#child.process.kill('SIGKILL')
  }

  #read(reader: FrameReader, chunk: Buffer): void {
    try {
      reader.read(chunk)
    } catch (error) {
      this.#lose(`it sent what is no frame: ${(error as Error).message}`)
    }
  }

  #receive(id: number, kind: number, payload: Buffer): void {
    if (id === startId) {
      this.#started(kind, payload)
      return
    }
    const call = this.pending.get(id)
    if (call === undefined) return
    if (kind === status.ok) {
      this.pending.delete(id)
      this.proven = true
      call.answer(Buffer.from(payload))
    } else if (kind === status.ending) {
      call.lastFailure = decodeFailure(payload)
      this.#lose(call.lastFailure.returnCode)
    } else {
      this.pending.delete(id)
      call.fail(decodeFailure(payload))
    }
  }

  #started(kind: number, payload: Buffer): void {
    this.#isStarted = true
    if (kind === status.ok) this.#start.resolve()
    else this.#start.reject(new StartError(decodeJson<StartFailure>(payload)))
  }

  /** One timer for all calls, for the earliest deadline. */
  #watch(deadline: number): void {
    if (this.lost || deadline >= this.#timerEnd) return
    clearTimeout(this.#timer)
    this.#timerEnd = deadline
    // The gateway itself may have been held up: answers that lie in the socket are read before anything is judged.
    const expire = () => setImmediate(() => this.#expire())
    this.#timer = setTimeout(expire, Math.max(1, deadline - performance.now()))
  }

  #expire(): void {
    if (this.lost) return
    if (!this.#isStarted) {
      this.#lose('it did not start in time')
      return
    }
    this.#timerEnd = Number.POSITIVE_INFINITY
    const now = performance.now()
    const overdue = [...this.pending].filter(([, call]) => call.deadline <= now)
    for (const [id, call] of overdue) {
      this.pending.delete(id)
      call.fail({
        failure: new Failure('KeyUnavailableException', 'The HSM did not answer in time.'),
        returnCode: 'TIMEOUT',
      })
    }
    if (overdue.length > 0) this.#lose('it did not answer in time')
    else for (const call of this.pending.values()) this.#watch(call.deadline)
  }

  #lose(reason: string): void {
    if (this.lost) return
    this.lost = true
    clearTimeout(this.#timer)
    this.kill()
    this.#start.reject(new StartError({ message: diedOf(reason), pinRefused: false }))
    const unfinished = [...this.pending.values()]
    this.pending.clear()
    this.#onLost(this, unfinished, reason)
  }
}
