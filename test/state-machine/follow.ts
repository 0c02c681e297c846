import fc from 'fast-check'
import { expect } from 'vitest'
import { objectsOn } from '../end-to-end/token-objects.ts'
import { commands } from './commands.ts'
import type { RunningGateway } from './running-gateway.ts'
import { World } from './world.ts'

export interface Walk {
  readonly seed: number
  readonly runs: number
  /** Of each run, at most. */
  readonly steps: number
}

/** Fails with the shortest steps found after which gateway and model differ. */
export async function follow(gateway: RunningGateway, { seed, runs, steps }: Walk): Promise<void> {
  const walk = fc.asyncProperty(fc.commands([commands], { maxCommands: steps, size: 'max' }), async drawn => {
    const world = new World(gateway)
    for (const Origin of ['AWS_KMS', 'EXTERNAL'] as const)
      await world.create({ KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', Origin })
    await fc.asyncModelRun(() => ({ model: world.model, real: world }), drawn)
    const deleted = await world.end()
    const labels = (await objectsOn(gateway.installation)).map(({ label }) => label)
    expect(labels.filter(label => deleted.some(id => label.includes(id)))).toEqual([])
  })
  await fc.assert(walk, { seed, numRuns: runs, endOnFailure: false })
}
