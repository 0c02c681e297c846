import fc from 'fast-check'
import type { Inputs } from './draws.ts'
import { second } from './model.ts'
import type { SideBySide, TimedModel } from './side-by-side.ts'

const minute = 61 * second

/** Something to do with the gateway and the model of a world `W`. */
export class Command<M extends TimedModel<M>, W extends SideBySide<M>> implements fc.AsyncCommand<M, W> {
  readonly #text: string
  readonly #run: (world: W) => Promise<unknown>

  constructor(text: string, run: (world: W) => Promise<unknown>) {
    this.#text = text
    this.#run = run
  }

  check(): boolean {
    return true
  }

  /** Jobs run once after each command. */
  async run(_model: M, world: W): Promise<void> {
    await this.#run(world)
    await world.pass(minute)
    await world.compare()
  }

  toString(): string {
    return this.#text
  }
}

export function command<T, M extends TimedModel<M>, W extends SideBySide<M>>(
  name: string,
  inputs: Inputs<T>,
  run: (world: W, input: T) => Promise<unknown>,
): fc.Arbitrary<Command<M, W>> {
  return fc
    .record(inputs)
    .map(input => new Command<M, W>(`${name} ${JSON.stringify(input)}`, world => run(world, input as T)))
}
