import { afterAll, beforeAll, it } from 'vitest'
import { follow } from './follow.ts'
import { RunningGateway } from './running-gateway.ts'

let gateway: RunningGateway

beforeAll(async () => {
  gateway = await RunningGateway.start()
})
afterAll(() => gateway?.end())

/** Longer walks, other seeds: test/soak/state-machine.test.ts. */
it('every ciphertext opens exactly when AWS says so, whatever callers, operators and time did before', async () => {
  await follow(gateway, { seed: 3, runs: 1, steps: 45 })
})
