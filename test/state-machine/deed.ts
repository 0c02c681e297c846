import fc from 'fast-check'
import type { Inputs } from './draws.ts'
import type { ModelKey } from './model.ts'
import type { Step, World } from './world.ts'

/** Something to do with one of the keys there are; undefined if what comes before it was refused. */
export interface Deed {
  readonly text: string
  plan(world: World, key: ModelKey): Promise<Step | undefined>
}

export function deed<T>(
  name: string,
  inputs: Inputs<T>,
  plan: (world: World, key: ModelKey, input: T) => Promise<Step | undefined> | Step,
): fc.Arbitrary<Deed> {
  return fc.record(inputs).map(input => ({
    text: `${name} ${JSON.stringify(input)}`,
    plan: async (world, key) => plan(world, key, input as T),
  }))
}
