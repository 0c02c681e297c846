/** The gateway's end of one worker process: its socket, its calls and their deadlines. */
import { OperatorError } from '../../errors.ts'
import { type Child, diedOf, startChild } from '../child.ts'
import type { Mode } from '../profiles/profile.ts'
import { calls, type Lane } from '../wire/calls.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { FrameReader, FrameWriter } from '../wire/frames.ts'
import {
  decodeFailure,
  decodeStartFailure,
  openToken,
  retryFlag,
  type StartFailure,
  startId,
  status,
} from '../wire/messages.ts'
import { capacityOf, type WorkerArgument } from '../wire/worker-argument.ts'
import { type Call, timedOut } from './call.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { type Pending, PendingCalls } from './pending-calls.ts'
import { decodeCapabilities } from './token-abilities.ts'
import { isOver, isServing, nextState, takesCalls, type WorkerEvent, type WorkerState } from './worker-state.ts'

/** A worker that could not start. */
export class StartError extends OperatorError {
  override readonly name = 'StartError'
  readonly reason: StartFailure['reason']
  readonly returnCode: StartFailure['returnCode']

  constructor({ message, reason, returnCode }: StartFailure) {
    super(message)
    this.reason = reason
    this.returnCode = returnCode
  }
}

/** Why a worker returned a call: see `status`. */
export type Undone = 'loginLost' | 'busy' | 'missing'

/** Notifications of a worker. */
export interface WorkerEvents {
  /**
   * Called once, unless the worker was told to end.
   *
   * @param from its previous state
   * @param unfinished calls that it will not answer
   */
  lost(worker: WorkerProcess, from: WorkerState, unfinished: readonly Call[], reason: string): void
  /** The worker could not execute a call. */
  returned(worker: WorkerProcess, call: Call, why: Undone): void
  /** A call was settled, with an answer or a failure. */
  settled(worker: WorkerProcess): void
  /** What the worker wrote to its standard error. */
  wrote(worker: WorkerProcess, text: string): void
}

const returns: ReadonlyMap<number, Undone> = new Map([
  [status.loginLost, 'loginLost'],
  [status.busy, 'busy'],
  [status.missing, 'missing'],
])
/** Milliseconds for C_Initialize: that of SoftHSM reads every object. */
const initialisationTimeout = 60_000
/** The time that a key generation takes varies widely: the worker hangs only after so many times its time-out. */
const lateFactor = 5
/** Concurrent key generations of a worker: each slows the others down, and they have a time-out. */
const mostGenerations = 2
const idRange = 2 ** 32

export class WorkerProcess {
  /** Resolves when the worker is logged in; rejects with a StartError. */
  readonly ready: Promise<Capabilities>
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
  /** It has answered a call with success. */
  hasAnswered = false
  readonly mode: Mode

  /** When it was told to open the token: performance.now(). */
  openedAt = 0

  #state: WorkerState = 'spare'
  readonly #capacity: number
  #loginTimeout = 0
  readonly #pending = new PendingCalls()
  readonly #child: Child
  readonly #writer: FrameWriter
  readonly #events: WorkerEvents
  readonly #start = Promise.withResolvers<Capabilities>()
  #lastId = startId
  #lastHeard = performance.now()
  readonly #timer = new DeadlineTimer(() => this.#expire())

  constructor(argument: WorkerArgument, environment: Readonly<Record<string, string>>, events: WorkerEvents) {
    this.#events = events
    this.mode = argument.profile.mode
    this.#capacity = capacityOf(argument)
    this.#child = startChild('worker/worker', argument, environment)
    const { socket, errors, ended } = this.#child
    this.ready = this.#start.promise
    this.ready.catch(() => {})
    this.#writer = new FrameWriter((batch, sent) => socket.write(batch, sent), process.nextTick)
    const reader = new FrameReader((id, kind, payload) => this.#receive(id, kind, payload))
    socket.on('data', chunk => this.#read(reader, chunk))
    // `ended` follows, once everything that it wrote has been read.
    socket.on('error', () => {})
    errors.on('data', chunk => events.wrote(this, String(chunk)))
    this.ended = ended.then(how => this.#lose(how))
  }

  get state(): WorkerState {
    return this.#state
  }

  get isServing(): boolean {
    return isServing(this.#state)
  }

  get pid(): number | undefined {
    return this.#child.process.pid
  }

  /** Unsettled calls. */
  get pending(): number {
    return this.#pending.size
  }

  /** For how many milliseconds it has written nothing while it had a cryptographic call. */
  get silence(): number {
    if (this.#pending.in('cryptography') === 0) return 0
    const [, oldest] = this.#pending.reading()[0]!
    return performance.now() - Math.max(this.#lastHeard, oldest.sentAt)
  }

  takes(lane: Lane): boolean {
    if (!takesCalls(this.#state)) return false
    if (lane === 'generation' && this.#pending.in(lane) === mostGenerations) return false
    return this.#pending.size < this.#capacity
  }

  /** Returns whether the event changed the state: see worker-state.ts. */
  advance(event: WorkerEvent): boolean {
    const from = this.#state
    this.#state = nextState(from, event)
    return this.#state !== from
  }

  /**
   * Tells it to open the token and log in: see `ready`.
   *
   * @param loginTimeout milliseconds after C_Initialize
   * @param pin if the worker does not read it itself
   */
  open(loginTimeout: number, pin: Uint8Array = nothing): void {
    if (isOver(this.#state)) return
    this.openedAt = performance.now()
    this.#loginTimeout = loginTimeout
    this.#writer.write(startId, openToken, pin)
    this.#timer.watch(performance.now() + initialisationTimeout)
  }

  send(call: Call): void {
    this.#lastId = (this.#lastId + 1) % idRange || 1
    this.#pending.add(this.#lastId, { call, sentAt: performance.now() })
    this.#writer.write(this.#lastId, calls[call.name].kind | (call.isRetry ? retryFlag : 0), call.payload)
    call.sent()
    this.#timer.watch(call.deadline)
  }

  /** Takes back all cryptographic calls except the oldest, which may be what blocks the worker. */
  takeBack(): readonly Call[] {
    const [, ...rest] = this.#pending.reading()
    const waiting = rest.filter(([, { lateUntil }]) => lateUntil === undefined)
    return waiting.map(([id, { call }]) => {
      this.#pending.remove(id)
      call.takenBack()
      return call
    })
  }

  /** Gives the worker up: its oldest call, which may be what blocks it, fails; the others are unfinished. */
  condemn(reason: string): void {
    const [oldest] = this.#pending.reading()
    if (oldest !== undefined && oldest[1].lateUntil === undefined) {
      this.#pending.remove(oldest[0])
      oldest[1].call.fail(timedOut())
    }
    this.#lose(reason)
  }

  /** Gives the worker up: its calls are unfinished. */
  abandon(reason: string): void {
    this.#lose(reason)
  }

  /** Ends the worker; kills it after the grace period, in milliseconds. Resolves when it is gone. */
  async end(grace: number): Promise<void> {
    if (!this.advance('end')) return this.ended
    this.#timer.stop()
    this.#start.reject(
      new StartError({ message: 'the HSM worker was ended before it was ready', reason: 'unavailable' }),
    )
    this.#child.socket.end()
    const timer = setTimeout(() => this.kill(), grace)
    await this.ended
    clearTimeout(timer)
  }

  /** The only way to end a native call that hangs. */
  kill(): void {
    this.#child.process.kill('SIGKILL')
  }

  #read(reader: FrameReader, chunk: Buffer): void {
    this.#lastHeard = performance.now()
    this.advance('hear')
    try {
      reader.read(chunk)
    } catch (error) {
      this.#lose(`it broke the protocol: ${(error as Error).message}`)
    }
  }

  #receive(id: number, kind: number, payload: Buffer): void {
    this.advance(kind === status.searching ? 'search' : 'hear')
    if (id === startId) {
      if (kind === status.initialised) this.#initialised()
      else if (kind !== status.searching) this.#started(kind, payload)
      return
    }
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    if (kind === status.part) pending.call.addPart(Buffer.from(payload))
    else if (pending.lateUntil === undefined) this.#settle(id, pending.call, kind, payload)
    else this.#settleLate(id, pending.call, kind)
  }

  #settle(id: number, call: Call, kind: number, payload: Buffer): void {
    // First: the call of a failure that cannot be decoded stays pending, and is left behind with the others.
    if (kind !== status.ok) call.lastFailure = decodeFailure(payload)
    if (kind !== status.ending) this.#pending.remove(id)
    const undone = returns.get(kind)
    if (kind === status.ok) {
      this.hasAnswered = true
      call.answer(Buffer.from(payload))
      this.#events.settled(this)
    } else if (kind === status.ending) this.#lose(call.lastFailure!.returnCode)
    else if (undone !== undefined) this.#events.returned(this, call, undone)
    else {
      call.fail({ ...call.lastFailure!, pinRefused: kind === status.pinRefused })
      this.#events.settled(this)
    }
  }

  /** The caller got a time-out before. */
  #settleLate(id: number, call: Call, kind: number): void {
    this.#pending.remove(id)
    call.undo()
    if (kind === status.ending) this.#lose('it ended')
    else this.#events.settled(this)
  }

  #initialised(): void {
    this.#timer.stop()
    this.#timer.watch(performance.now() + this.#loginTimeout)
  }

  #started(kind: number, payload: Buffer): void {
    if (kind !== status.ok) {
      this.#start.reject(new StartError(decodeStartFailure(payload)))
      return
    }
    this.#start.resolve(decodeCapabilities(payload))
  }

  #expire(): void {
    if (isOver(this.#state)) return
    if (this.#state === 'starting') {
      this.#lose('it did not start in time', 'timeout')
      return
    }
    const overdue = this.#pending.overdue(performance.now())
    const hangs = overdue.map(([id, pending]) => this.#timeOut(id, pending)).includes(true)
    if (hangs) this.#lose('it did not answer in time')
    else if (this.#pending.size > 0) this.#timer.watch(this.#pending.nextDue)
  }

  /** Returns whether the worker hangs. */
  #timeOut(id: number, pending: Pending): boolean {
    const { call, sentAt, lateUntil } = pending
    if (lateUntil !== undefined) return true
    // A synchronous worker that still answers other calls is overloaded; the watchdog decides whether it hangs.
    const goesOn = this.isServing && this.#state !== 'suspect'
    const isBehind = call.lane === 'cryptography' && this.mode === 'synchronous' && goesOn
    const mayComeLate = call.lane === 'generation' || isBehind
    const isEarly = call.dueAt > call.deadline
    if (mayComeLate) pending.lateUntil = call.dueAt + lateFactor * (call.dueAt - sentAt)
    else if (isEarly) pending.lateUntil = call.dueAt
    else this.#pending.remove(id)
    call.fail(timedOut(), mayComeLate || isEarly)
    return !mayComeLate && !isEarly
  }

  #lose(reason: string, returnCode?: 'timeout'): void {
    const from = this.#state
    if (!this.advance('lose') || isOver(from)) return
    this.#timer.stop()
    this.kill()
    this.#start.reject(new StartError({ message: diedOf(reason), reason: 'unavailable', returnCode }))
    this.#events.lost(this, from, this.#pending.takeAll(), reason)
  }
}

const nothing = Buffer.alloc(0)
