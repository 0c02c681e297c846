/** The gateway's end of one worker process: sends it calls, settles them, and notices when it is of no use any more. */
import { performance } from 'node:perf_hooks'
import { OperatorError } from '../errors.ts'
import { type Call, timedOut } from './call.ts'
import { type Child, diedOf, startChild } from './child.ts'
import { FrameReader, FrameWriter } from './frames.ts'
import {
  calls,
  changeGranted,
  decodeFailure,
  decodeJson,
  type Lane,
  repeated,
  type StartFailure,
  startId,
  status,
  type WorkerReport,
} from './messages.ts'
import type { Mode } from './worker/mode.ts'
import type { WorkerArgument } from './worker-argument.ts'

/** A worker that could not start. */
export class StartError extends OperatorError {
  override readonly name = 'StartError'
  readonly reason: StartFailure['reason']

  constructor({ message, reason }: StartFailure) {
    super(message)
    this.reason = reason
  }
}

/** What a worker tells whoever started it. */
export interface WorkerEvents {
  /** Called once, as soon as nothing can be expected of the worker any more, with the calls it leaves behind. */
  lost(worker: WorkerProcess, unfinished: readonly Call[], reason: string): void
  /** A call came back undone. */
  returned(worker: WorkerProcess, call: Call, why: 'loginLost' | 'busy' | 'missing'): void
  /** A call wants the token to itself. It is told with `grantChange`; `ended` resolves when the worker has done with it. */
  asksChange(worker: WorkerProcess, id: number, ended: Promise<void>): void
  /** A call was settled, with an answer or a failure. */
  settled(worker: WorkerProcess, call: Call, answered: boolean): void
  /** What the worker wrote to its standard error. */
  wrote(worker: WorkerProcess, text: string): void
}

interface Pending {
  readonly call: Call
  readonly sentAt: number
  /** Resolves when the worker has done with it, however it ended. */
  readonly ended: PromiseWithResolvers<void> | undefined
}

const returns: ReadonlyMap<number, 'loginLost' | 'busy' | 'missing'> = new Map([
  [status.loginLost, 'loginLost'],
  [status.busy, 'busy'],
  [status.missing, 'missing'],
])
const startDeadline = 60_000
/** Keys that a worker makes at the same time: each of them slows the others down, and they have a deadline. */
const mostGenerations = 2
const idRange = 2 ** 32

export class WorkerProcess {
  /** Resolves when the worker is logged in; rejects with a StartError. */
  readonly ready: Promise<WorkerReport>
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
  lost = false
  /** It has done something useful. */
  proven = false
  /** It is logging in again, and takes no calls meanwhile. */
  isLoggingIn = false
  /** Others do its calls, but for the oldest, until it says something. */
  isHesitant = false

  readonly #pending = new Map<number, Pending>()
  readonly #child: Child
  readonly #writer: FrameWriter
  readonly #events: WorkerEvents
  readonly #start = Promise.withResolvers<WorkerReport>()
  #report: WorkerReport | undefined
  #lastId = startId
  #lastHeard = performance.now()
  /** Calls that it has not settled, by lane. */
  readonly #inLane: Record<Lane, number> = { cryptography: 0, generation: 0, management: 0 }
  #timer: NodeJS.Timeout | undefined
  #timerEnd = Number.POSITIVE_INFINITY

  constructor(argument: WorkerArgument, environment: Readonly<Record<string, string>>, events: WorkerEvents) {
    this.#events = events
    this.#child = startChild('worker/worker', argument, environment)
    const { socket, errors, ended } = this.#child
    this.ready = this.#start.promise
    this.#writer = new FrameWriter((batch, sent) => socket.write(batch, sent))
    const reader = new FrameReader((id, kind, payload) => this.#receive(id, kind, payload))
    socket.on('data', chunk => this.#read(reader, chunk))
    // Its end says the same, once everything that it wrote has been read.
    socket.on('error', () => {})
    errors.on('data', chunk => events.wrote(this, String(chunk)))
    this.ended = ended.then(how => this.#lose(how))
    this.#watch(performance.now() + startDeadline)
  }

  get pid(): number | undefined {
    return this.#child.process.pid
  }

  /** Once it is ready. */
  get mode(): Mode {
    return this.#report!.mode
  }

  /** Calls that it has not settled. */
  get pending(): number {
    return this.#pending.size
  }

  /** Of them, those that read the token. */
  get reading(): number {
    return this.#inLane.cryptography
  }

  takes(lane: Lane): boolean {
    if (this.lost || this.isLoggingIn || this.isHesitant) return false
    if (lane === 'generation' && this.#inLane.generation === mostGenerations) return false
    return this.#pending.size < this.#report!.capacity
  }

  send(call: Call): void {
    this.#lastId = (this.#lastId + 1) % idRange || 1
    const { kind, lane } = calls[call.name]
    const sentAt = performance.now()
    this.#inLane[lane]++
    const ended = lane === 'cryptography' ? undefined : Promise.withResolvers<void>()
    this.#pending.set(this.#lastId, { call, sentAt, ended })
    this.#writer.write(this.#lastId, kind | (call.isRepeated ? repeated : 0), call.payload)
    call.attempts++
    call.isRepeated = true
    this.#watch(call.deadline)
  }

  grantChange(id: number): void {
    if (!this.lost) this.#writer.write(id, changeGranted, nothing)
  }

  /** Whether calls that read the token have waited so long, in milliseconds, without a word about any call. */
  isSilent(limit: number): boolean {
    if (this.reading === 0) return false
    const [oldest] = [...this.#pending.values()].filter(({ call }) => calls[call.name].lane === 'cryptography')
    return performance.now() - Math.max(this.#lastHeard, oldest!.sentAt) > limit
  }

  /** Takes all calls back but the oldest one: a worker that does not answer may never do so, and the oldest may be why. */
  takeBack(): readonly Call[] {
    this.isHesitant = true
    const [, ...rest] = [...this.#pending].filter(([, { call }]) => calls[call.name].lane === 'cryptography')
    return rest.map(([id]) => {
      const call = this.#done(id)!
      // It was hardly begun.
      call.attempts--
      return call
    })
  }

  /** Lets the worker end by itself; kills it when it does not within the grace, in milliseconds. */
  async end(grace: number): Promise<void> {
    this.lost = true
    clearTimeout(this.#timer)
    this.#start.reject(new StartError({ message: 'It was ended before it was ready.', reason: 'unavailable' }))
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
    this.#lastHeard = performance.now()
    this.isHesitant = false
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
    if (kind === status.asksChange) {
      const ended = this.#pending.get(id)?.ended
      if (ended !== undefined) this.#events.asksChange(this, id, ended.promise)
      return
    }
    const call = kind === status.ending ? this.#pending.get(id)?.call : this.#done(id)
    if (call === undefined) return
    if (kind === status.ok) {
      this.proven = true
      call.answer(Buffer.from(payload))
      this.#events.settled(this, call, true)
      return
    }
    call.lastFailure = decodeFailure(payload)
    const undone = returns.get(kind)
    if (kind === status.ending) this.#lose(call.lastFailure.returnCode)
    else if (undone !== undefined) this.#events.returned(this, call, undone)
    else {
      call.fail({ ...call.lastFailure, pinRefused: kind === status.pinRefused })
      this.#events.settled(this, call, false)
    }
  }

  /** A call is not this worker's any more. */
  #done(id: number): Call | undefined {
    const pending = this.#pending.get(id)
    if (pending === undefined) return undefined
    this.#pending.delete(id)
    this.#inLane[calls[pending.call.name].lane]--
    pending.ended?.resolve()
    return pending.call
  }

  #started(kind: number, payload: Buffer): void {
    if (kind !== status.ok) {
      this.#start.reject(new StartError(decodeJson<StartFailure>(payload)))
      return
    }
    this.#report = decodeJson<WorkerReport>(payload)
    this.#start.resolve(this.#report)
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
    this.#timerEnd = Number.POSITIVE_INFINITY
    if (this.#report === undefined) {
      this.#lose('it did not start in time')
      return
    }
    const now = performance.now()
    const overdue = [...this.#pending].filter(([, { call }]) => call.deadline <= now)
    for (const [id] of overdue) this.#done(id)!.fail(timedOut())
    if (overdue.length > 0) this.#lose('it did not answer in time')
    else for (const { call } of this.#pending.values()) this.#watch(call.deadline)
  }

  #lose(reason: string): void {
    if (this.lost) return
    this.lost = true
    clearTimeout(this.#timer)
    this.kill()
    this.#start.reject(new StartError({ message: diedOf(reason), reason: 'unavailable' }))
    const unfinished = [...this.#pending.keys()].map(id => this.#done(id)!)
    this.#events.lost(this, unfinished, reason)
  }
}

const nothing = Buffer.alloc(0)
