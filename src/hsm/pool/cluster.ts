/** Several tokens with the same keys, replicated by the vendor: one HSM to its users. */
import { Failure, type FailureCode, OperatorError } from '../../errors.ts'
import type { Ability } from '../../model/keys/ability.ts'
import type { HsmHealth } from '../hsm.ts'
import { type CallName, calls } from '../wire/calls.ts'
import type { Backend, CallOptions } from './backend.ts'
import type { Dispatcher } from './dispatcher.ts'
import { StartError } from './worker-process.ts'

/** Failures after which another member is tried: it may be reachable, less busy, or already have the replicated key. */
const others: ReadonlySet<FailureCode> = new Set(['KeyUnavailable', 'Throttling', 'InvalidState'])

export class Cluster implements Backend {
  readonly name: string
  readonly #members: readonly Dispatcher[]

  readonly #callTimeout: number

  /** @param callTimeout milliseconds for a call, on however many members it is tried */
  constructor(name: string, members: readonly Dispatcher[], callTimeout: number) {
    this.name = name
    this.#members = members
    this.#callTimeout = callTimeout
  }

  /**
   * Resolves when one member is ready; the others keep trying. Rejects with the OperatorError of the first if none is.
   *
   * @param inTurn one after another, until one refuses the PIN: then rejects with the OperatorError of that one
   */
  async start({ inTurn = false } = {}): Promise<void> {
    const starts = inTurn
      ? await this.#startInTurn()
      : await Promise.allSettled(this.#members.map(member => member.start()))
    const failed = starts.filter(start => start.status === 'rejected')
    if (failed.length === starts.length) throw noneOf(failed.map(({ reason }) => reason as Error))
    for (const [index, start] of starts.entries()) {
      if (start.status === 'rejected') this.#members[index]!.startLater((start.reason as Error).cause)
    }
  }

  async #startInTurn(): Promise<readonly PromiseSettledResult<void>[]> {
    const starts: PromiseSettledResult<void>[] = []
    for (const member of this.#members) {
      const [start] = await Promise.allSettled([member.start()])
      if (start!.status === 'rejected' && isPinRefused(start!.reason)) throw start!.reason
      starts.push(start!)
    }
    return starts
  }

  get ivLength(): number {
    return ivLengthOf(this.#members) ?? this.#members[0]!.ivLength
  }

  /** The cluster cannot do what one member cannot, as any member may get the call. */
  whyUnsupported(ability: Ability): string | undefined {
    return this.#members.map(member => member.whyUnsupported(ability)).find(reason => reason !== undefined)
  }

  get pending(): number {
    return this.#members.reduce((sum, { pending }) => sum + pending, 0)
  }

  /** The state of a ready member, or else of the first. */
  get health(): HsmHealth {
    const all = this.#members.map(({ health }) => health)
    const { state, reason } = all.find(({ state }) => state === 'ready') ?? all[0]!
    const sum = (count: (health: HsmHealth) => number) => all.reduce((total, health) => total + count(health), 0)
    const workers = sum(health => health.workers)
    const members = this.#members.map(({ name, health: { state, reason } }) => ({ name, state, reason }))
    return {
      state,
      reason,
      members,
      workers,
      starts: sum(({ starts }) => starts),
      restarts: sum(({ restarts }) => restarts),
      isShared: all.some(({ isShared }) => isShared),
    }
  }

  async call(name: CallName, payload: Buffer, caller: string, given: CallOptions = {}): Promise<Buffer> {
    const { object, undo, isUrgent } = given
    const timeOutAt = performance.now() + this.#callTimeout * calls[name].timeoutFactor
    const latest = Math.min(timeOutAt, given.latest ?? timeOutAt)
    const untried = new Set(this.#members)
    let missing = 0
    let mayExist = false
    const options = {
      object,
      latest,
      isUrgent,
      undo:
        undo &&
        (() => {
          mayExist = true
          undo()
        }),
    }
    try {
      for (;;) {
        const member = leastBusy([...untried].filter(isReady)) ?? [...untried][0]!
        untried.delete(member)
        try {
          return await member.call(name, Buffer.from(payload), caller, options)
        } catch (error) {
          if (isMissing(error)) {
            missing++
            // The key that another is made with is looked for first.
            mayExist = false
          }
          const mayHelp = error instanceof Failure && others.has(error.code) && [...untried].some(isReady)
          // Not if the key may exist already: there would be two with the same CKA_ID.
          if (mayHelp && !mayExist && performance.now() < latest) continue
          // A member that is not ready may hold the key.
          throw isMissing(error) && missing < this.#members.length ? notKnown(error) : error
        }
      }
    } finally {
      payload.fill(0)
    }
  }

  get isWhole(): boolean {
    return this.#members.every(isReady)
  }

  async callEach(...call: Parameters<Backend['callEach']>): Promise<readonly Buffer[]> {
    const ready = this.#members.filter(isReady)
    const asked = ready.length === 0 ? this.#members.slice(0, 1) : ready
    return (await Promise.all(asked.map(member => member.callEach(...call)))).flat()
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(member => member.close()))
  }
}

/** Ready members all make IVs of the same length; undefined while none is ready. */
export function ivLengthOf(members: readonly Dispatcher[]): number | undefined {
  return members.find(({ health }) => health.workers > 0)?.ivLength
}

/** The error of the first, with all of them as its cause. */
function noneOf(errors: readonly Error[]): OperatorError {
  return new OperatorError(errors[0]!.message, { cause: new AggregateError(errors) })
}

function isPinRefused(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.cause instanceof StartError && thrown.cause.reason === 'pinRefused'
}

function isMissing(error: unknown): error is Failure {
  return error instanceof Failure && error.code === 'InvalidState'
}

function notKnown(cause: Failure): Failure {
  return new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
}

function isReady({ health }: Dispatcher): boolean {
  return health.state === 'ready'
}

function leastBusy(members: readonly Dispatcher[]): Dispatcher | undefined {
  return members.reduce<Dispatcher | undefined>(
    (best, member) => (best === undefined || member.pending < best.pending ? member : best),
    undefined,
  )
}
