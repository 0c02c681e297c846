import fc from 'fast-check'
import { expect } from 'vitest'
import { objectsOn } from '../end-to-end/token-objects.ts'
import type { Command } from './command.ts'
import { commands, commandsWithFaults } from './commands.ts'
import { regionalCommands, regionalCommandsWithFaults } from './multi-region/regional-commands.ts'
import { createReplicated } from './multi-region/regional-deeds.ts'
import { RegionalWorld } from './multi-region/regional-world.ts'
import type { RunningGateway } from './running-gateway.ts'
import type { SideBySide, TimedModel } from './side-by-side.ts'
import { World } from './world.ts'

export interface Walk {
  readonly seed: number
  readonly runs: number
  /** Of each run, at most. */
  readonly steps: number
  /** The HSM misbehaves, too, and may keep objects that nobody knows of. */
  readonly faults?: boolean
  /** Searches for the shortest steps, which takes many times as long. */
  readonly shrinks?: boolean
}

const symmetric = { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' } as const

/** Fails with the steps after which gateway and model differ. */
export async function follow(gateway: RunningGateway, walk: Walk): Promise<void> {
  const started = async () => {
    const world = new World(gateway)
    for (const Origin of ['AWS_KMS', 'EXTERNAL'] as const) await world.create({ ...symmetric, Origin })
    return world
  }
  await followIn(started, walk.faults ? commandsWithFaults : commands, walk)
}

/** The same with multi-Region keys. */
export async function followRegions(gateway: RunningGateway, walk: Walk): Promise<void> {
  const started = async () => {
    const world = new RegionalWorld(gateway)
    for (const Origin of ['AWS_KMS', 'EXTERNAL'] as const) await createReplicated(world, { ...symmetric, Origin })
    return world
  }
  await followIn(started, walk.faults ? regionalCommandsWithFaults : regionalCommands, walk)
}

async function followIn<M extends TimedModel<M>, W extends SideBySide<M>>(
  start: () => Promise<W>,
  steps: fc.Arbitrary<Command<M, W>>,
  walk: Walk,
): Promise<void> {
  const { seed, runs, steps: maxCommands, faults = false, shrinks = false } = walk
  const property = fc.asyncProperty(fc.commands([steps], { maxCommands, size: 'max' }), async drawn => {
    const world = await start()
    await fc.asyncModelRun(() => ({ model: world.model, real: world }), drawn)
    const deleted = await world.end()
    if (faults) return
    const labels = (await objectsOn(world.gateway.installation)).map(({ label }) => label)
    expect(labels.filter(label => deleted.some(id => label.includes(id)))).toEqual([])
  })
  await fc.assert(property, { seed, numRuns: runs, endOnFailure: !shrinks })
}
