/** Three gateways under random faults: the answers are those of one gateway that does one request at a time. */
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Fleet } from '../fleet/fleet.ts'
import { checkedLoad } from '../fleet/load.ts'
import { torment } from '../fleet/nemesis.ts'
import { ownPostgresql } from '../postgresql.ts'
import { SeededRandom } from './seeded-random.ts'

const minutes = Number(process.env.STRONGROOM_SOAK_MINUTES ?? 10)
const seed = Number(process.env.STRONGROOM_SOAK_SEED ?? Date.now() % 2 ** 31)

it(`${minutes} minutes of random faults, seed ${seed}`, async () => {
  await using server = await ownPostgresql()
  await using fleet = await Fleet.start({ server, lease: '3s', clocks: true })
  const random = new SeededRandom(seed)
  const until = delay(minutes * 60_000)
  const faulty = torment(fleet, server, random, { longest: 5000, until })
  const checked = await checkedLoad(fleet, random, until, { lanes: 3, clients: 5, requestsPerClient: 20 })
  const { violations, lost, ...counts } = checked
  console.log({ ...counts, lost: lost.length }, await faulty)
  if (violations.length > 0) writeFileSync('violations.txt', violations.join('\n\n'))
  expect(violations).toEqual([])
  expect(checked.partitions).toBeGreaterThan(10 * minutes)
  await fleet.stop()
})
