import { afterAll, beforeAll, it } from 'vitest'
import { follow, followRegions } from './follow.ts'
import { regions } from './multi-region/member.ts'
import { RunningGateway } from './running-gateway.ts'

let gateway: RunningGateway

beforeAll(async () => {
  gateway = await RunningGateway.start(regions)
})
afterAll(() => gateway?.end())

/** Longer walks, other seeds: test/soak/state-machine.test.ts. */
it('every ciphertext opens exactly when AWS says so, whatever callers, operators and time did before', async () => {
  await follow(gateway, { seed: 3, runs: 1, steps: 45 })
})

it.each([8, 9])(
  'every ciphertext opens in the Regions that have its multi-Region key, and in no other: walk %i',
  { timeout: 120_000 },
  async seed => {
    await followRegions(gateway, { seed, runs: 1, steps: 50 })
  },
)
