import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, it } from 'vitest'
import { follow } from '../state-machine/follow.ts'
import { RunningGateway } from '../state-machine/running-gateway.ts'

let gateway: RunningGateway

beforeAll(async () => {
  gateway = await RunningGateway.start()
})
afterAll(() => gateway?.end())

it('every ciphertext opens exactly when AWS says so, whatever callers, operators and time did before', async () => {
  const seed = randomInt(2 ** 31)
  console.log(`seed ${seed}`)
  await follow(gateway, { seed, runs: 40, steps: 150 })
})
