/** The gateway and a model side by side: each step is done with both, and then they must agree on everything. */
import { isDeepStrictEqual } from 'node:util'
import type { KMS } from '@aws-sdk/client-kms'
import { expect } from 'vitest'
import { refusal } from '../end-to-end/requests.ts'
import { type Refusal, second } from './model.ts'
import type { RunningGateway } from './running-gateway.ts'

/** Longer than the interval of the jobs that something is due for. */
export const interval = 61 * second

/** A call, and what the model says to it. */
export interface Step<M> {
  /** The first one of the gateway if it is absent. */
  readonly region?: string
  call(kms: KMS): Promise<unknown>
  decide(model: M): Refusal
}

export interface TimedModel<M> {
  clone(): M
  /** When something happens by itself next. */
  readonly due: number
  /** What happens by itself until then. */
  reach(now: number): void
}

export abstract class SideBySide<M extends TimedModel<M>> {
  model: M
  readonly gateway: RunningGateway
  /** KeyMaterialIds by the names of the model, once they were told. */
  #ids = new Map<number, string>()

  constructor(gateway: RunningGateway, model: M) {
    this.gateway = gateway
    this.model = model
  }

  /** Everything that the gateway tells is what the model says. */
  abstract compare(): Promise<void>

  /** Deletes every key. Resolves to their ids when nothing of them should be left on the HSM. */
  abstract end(): Promise<readonly string[]>

  get now(): number {
    return this.gateway.time.now
  }

  idOf(name: number): string | undefined {
    return this.#ids.get(name)
  }

  protected learn(name: number, id: string): void {
    if (this.#ids.get(name) === id) return
    expect([...this.#ids.values()]).not.toContain(id)
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    expect(this.#ids.get(name)).toBeUndefined()
    this.#ids.set(name, id)
  }

  /** The call has the outcome that the model says. */
  async take(step: Step<M>): Promise<Refusal> {
    const outcome = await this.#outcomeOf(step)
    const expected = step.decide(this.model)
    expect(outcome).toBe(inWords(expected, outcome))
    return expected
  }

  /** Two calls at once have the outcomes that they have in one or the other order. */
  async takeAtOnce(steps: readonly [Step<M>, Step<M>]): Promise<void> {
    const outcomes = await Promise.all(steps.map(step => this.#outcomeOf(step)))
    const futures = [steps, steps.toReversed()].map(order => {
      const model = this.model.clone()
      const expected = new Map(order.map(step => [step, step.decide(model)]))
      return { model, expected: steps.map((step, index) => inWords(expected.get(step), outcomes[index]!)) }
    })
    expect(futures.map(({ expected }) => expected)).toContainEqual(outcomes)
    const fitting = futures.filter(({ expected }) => isDeepStrictEqual(expected, outcomes))
    await this.#settleOn(fitting.map(({ model }) => model))
  }

  /** While the HSM misbehaves, a call has its usual outcome, or fails and has changed nothing. */
  async takeWithFault(rule: string, step: Step<M>): Promise<void> {
    const { faults } = this.gateway
    faults.set(rule)
    const outcome = await this.#outcomeOf(step)
    faults.clear()
    // A worker that has crashed is replaced.
    const answers = () => refusal(this.gateway.kms.generateRandom({ NumberOfBytes: 1 }))
    await expect.poll(answers, { timeout: 30_000 }).toBe('no refusal')
    const after = this.model.clone()
    const expected = step.decide(after)
    if (outcome === inWords(expected, outcome)) this.model = after
    else expect(outcome).toMatch(/^(KMSInternal|DependencyTimeout|KeyUnavailable|Throttling)Exception/)
  }

  #outcomeOf(step: Step<M>): Promise<string> {
    return refusal(step.call(this.gateway.kmsIn(step.region)))
  }

  /** The first model that the gateway agrees with. */
  async #settleOn([model, ...others]: readonly M[]): Promise<void> {
    const ids = new Map(this.#ids)
    this.model = model!
    try {
      await this.compare()
    } catch (error) {
      if (others.length === 0) throw error
      this.#ids = ids
      await this.#settleOn(others)
    }
  }

  /** Each thing that becomes due on the way happens at its time. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    while (this.now < end) {
      const due = Math.max(this.model.due, this.now)
      const next = Math.min(due + interval, end)
      await this.gateway.time.moveTo(next)
      this.model.reach(next)
    }
  }

  protected async read<T>(expected: Refusal, call: Promise<T>): Promise<T | undefined> {
    const outcome = await refusal(call)
    expect(outcome).toBe(inWords(expected, outcome))
    return expected === undefined ? call : undefined
  }
}

/** The outcome that fits what the model says: of some refusals, it says the code alone. */
function inWords(expected: Refusal, outcome: string): string {
  if (expected === undefined) return 'no refusal'
  return expected.includes(':') || outcome.split(':')[0] !== expected ? expected : outcome
}
