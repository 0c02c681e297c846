import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { workerCount } from '../../../src/hsm/profiles/worker-count.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

let softHsm: SoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm()
})
afterAll(() => softHsm.remove())

it.each([
  ['auto', false, false, 2],
  ['auto', true, false, 8],
  // One that has the token open, and its spare.
  ['auto', false, true, 2],
  ['auto', true, true, 2],
  [3, true, false, 3],
  [1, false, true, 1],
] as const)(
  'workers: %s, initIsRoundTrip: %s, singleProcess: %s means %i',
  (workers, initIsRoundTrip, singleProcess, count) => {
    expect(workerCount(workers, { initIsRoundTrip, singleProcess })).toBe(count)
  },
)

it('workers: auto starts that many', async () => {
  const profile = join(softHsm.directory, 'remote.yaml')
  writeFileSync(profile, 'name: remote\nbasedOn: softhsm2\nsingleProcess: false\ninitIsRoundTrip: true\n')
  const hsm = await connectHsm({ ...softHsm.options, profile, workers: 'auto', callTimeout: 20_000 })
  expect(hsm.health.workers).toBe(8)
  await hsm.close()
})
