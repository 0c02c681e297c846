import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, it } from 'vitest'
import { follow, followRegions } from '../state-machine/follow.ts'
import { regions } from '../state-machine/multi-region/member.ts'
import { RunningGateway } from '../state-machine/running-gateway.ts'

let gateway: RunningGateway

beforeAll(async () => {
  gateway = await RunningGateway.start(regions)
})
afterAll(() => gateway?.end())

const seed = randomInt(2 ** 31)
const walk = { seed, steps: 150, shrinks: true } as const
console.log(`seed ${seed}`)

it('every ciphertext opens exactly when AWS says so, whatever callers, operators and time did before', async () => {
  await follow(gateway, { ...walk, runs: 40 })
})

it('a call that fails as the HSM misbehaves has changed nothing', async () => {
  await follow(gateway, { ...walk, runs: 20, faults: true })
})

it('every ciphertext opens in the Regions that have its multi-Region key, and in no other', async () => {
  await followRegions(gateway, { ...walk, runs: 40 })
})

it('a call on a multi-Region key that fails as the HSM misbehaves has changed nothing in any Region', async () => {
  await followRegions(gateway, { ...walk, runs: 20, faults: true })
})
