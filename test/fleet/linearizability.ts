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
  /** Whether it changes nothing, whatever the state. */
  isRead(input: Input): boolean
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

/** That a search which ends early found nothing would say nothing. */
const mostStates = 2_000_000

/**
 * @param history in any order; of one partition: objects that depend on each other
 * @param most states that are searched; throws when there are more
 */
export function check<State, Input>(
  model: Model<State, Input>,
  history: readonly Operation<Input>[],
  most = mostStates,
): Verdict<Input> {
  return new Search(model, history, most).run()
}

/** A part of a history that is not linearizable either, as small as is found quickly. Operations that it needs not are of unknown output. */
export function smallest<State, Input>(
  model: Model<State, Input>,
  history: readonly Operation<Input>[],
): readonly Operation<Input>[] {
  const isRefused = (part: readonly Operation<Input>[]) => {
    try {
      return !check(model, part, quickly).linearizable
    } catch {
      return false
    }
  }
  const ends = history.map(({ returned }) => returned).sort((one, other) => one - other)
  let [shortest, longest] = [0, ends.length - 1]
  while (shortest < longest) {
    const middle = (shortest + longest) >> 1
    if (isRefused(until(history, ends[middle]!))) longest = middle
    else shortest = middle + 1
  }
  let left = until(history, ends[longest]!)
  for (const one of left.toReversed()) {
    const [without, relaxed] = [
      left.filter(other => other !== one),
      left.map(other => (other === one ? lost(one) : other)),
    ]
    // Without a read, what is left is linearizable if the whole is; without a change, that cannot be said.
    if (model.isRead(one.input)) left = isRefused(without) ? without : left
    else if (one.output !== undefined && isRefused(relaxed)) left = relaxed
  }
  return left
}

/** States that are searched to find out whether a part shows as much as the whole. */
const quickly = 5000

function lost<Input>(operation: Operation<Input>): Operation<Input> {
  return { ...operation, output: undefined, returned: Number.POSITIVE_INFINITY }
}

/** What is known at a time. */
function until<Input>(history: readonly Operation<Input>[], end: number): readonly Operation<Input>[] {
  const known = history.filter(({ called }) => called <= end).map(one => (one.returned > end ? lost(one) : one))
  return known.sort((one, other) => one.called - other.called)
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
  readonly #most: number

  constructor(model: Model<State, Input>, history: readonly Operation<Input>[], most: number) {
    this.#model = model
    this.#most = most
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
      if (this.#seen.add(key).size > this.#most)
        throw new Error(`more than ${this.#most} states: use smaller partitions`)
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
      if (output === undefined && encode(applied.next) === unchanged) continue
      // A read that may come now need not come later.
      if (this.#model.isRead(input)) return [next]
      following.push(next)
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
