/**
 * Whether a history of concurrent operations is linearizable: Wing and Gong's search ("Testing and Verifying Concurrent Objects", 1993)
 * with Lowe's memoization ("Testing for linearizability", 2017).
 */

/** One operation of a client. */
export interface Operation<Input> {
  readonly input: Input
  /** Undefined: unknown, as after a lost connection. It takes effect at any time after the call, or never. */
  readonly output: string | undefined
  /** When the client called and when it had the answer, by one clock for all clients; Infinity if the output is unknown. */
  readonly called: number
  readonly returned: number
}

/** A deterministic sequential specification. */
export interface Model<State, Input> {
  readonly initial: State
  /** What the operation answers in this state, and the state after it. */
  apply(state: State, input: Input): { readonly output: string; readonly next: State }
  /** The same text for the same state. */
  encode(state: State): string
}

export interface Verdict<Input> {
  readonly linearizable: boolean
  /** A linearization; otherwise the longest one of a part of the history. Operations of unknown output that took no effect are absent. */
  readonly order: readonly Operation<Input>[]
  /** If not linearizable: the operations of which one had to come next. */
  readonly stuck: readonly Operation<Input>[]
}

/** Throws when the search is larger than this: that it found nothing would say nothing. */
const mostStates = 2_000_000

/** @param history in any order; of one partition: objects that depend on each other */
export function check<State, Input>(model: Model<State, Input>, history: readonly Operation<Input>[]): Verdict<Input> {
  return new Search(model, history).run()
}

interface Step<State> {
  /** The operations that have taken effect: one bit each. */
  readonly done: bigint
  readonly state: State
  /** The latest one, and the step before it. */
  readonly operation?: number
  readonly before?: Step<State>
  readonly length: number
}

class Search<State, Input> {
  readonly #model: Model<State, Input>
  readonly #operations: readonly Operation<Input>[]
  /** All that have an output. */
  readonly #answered: bigint
  readonly #seen = new Set<string>()

  constructor(model: Model<State, Input>, history: readonly Operation<Input>[]) {
    this.#model = model
    this.#operations = [...history].sort((one, other) => one.called - other.called)
    this.#answered = this.#operations.reduce((bits, { output }, i) => (output === undefined ? bits : bits | bit(i)), 0n)
  }

  run(): Verdict<Input> {
    const start: Step<State> = { done: 0n, state: this.#model.initial, length: 0 }
    const open = [start]
    let longest = start
    for (let step = open.pop(); step !== undefined; step = open.pop()) {
      if (step.length > longest.length) longest = step
      if ((step.done & this.#answered) === this.#answered)
        return { linearizable: true, order: this.#order(step), stuck: [] }
      const key = `${step.done.toString(36)} ${this.#model.encode(step.state)}`
      if (this.#seen.has(key)) continue
      if (this.#seen.add(key).size > mostStates)
        throw new Error(`more than ${mostStates} states: use smaller partitions`)
      open.push(...this.#following(step))
    }
    return {
      linearizable: false,
      order: this.#order(longest),
      stuck: this.#minimal(longest).map(i => this.#operations[i]!),
    }
  }

  /** The steps that may come next. */
  #following(step: Step<State>): Step<State>[] {
    const { encode } = this.#model
    const following: Step<State>[] = []
    const unchanged = encode(step.state)
    for (const index of this.#minimal(step)) {
      const { input, output } = this.#operations[index]!
      const applied = this.#model.apply(step.state, input)
      if (output !== undefined && output !== applied.output) continue
      const next = {
        done: step.done | bit(index),
        state: applied.next,
        operation: index,
        before: step,
        length: step.length + 1,
      }
      if (encode(applied.next) !== unchanged) following.push(next)
      // What changes nothing and may come now need not come later; and without an answer, it need not come at all.
      else if (output !== undefined) return [next]
    }
    return following
  }

  /** Operations that have not taken effect, called before any other one of those had returned. */
  #minimal({ done }: Step<State>): number[] {
    const minimal: number[] = []
    let earliest = Number.POSITIVE_INFINITY
    for (const [index, { called, returned }] of this.#operations.entries()) {
      if ((done & bit(index)) !== 0n) continue
      if (called > earliest) break
      minimal.push(index)
      earliest = Math.min(earliest, returned)
    }
    return minimal
  }

  #order(last: Step<State>): Operation<Input>[] {
    const order: Operation<Input>[] = []
    for (let step = last; step.before !== undefined; step = step.before) order.push(this.#operations[step.operation!]!)
    return order.reverse()
  }
}

function bit(index: number): bigint {
  return 1n << BigInt(index)
}
