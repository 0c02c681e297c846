/** What is revoked at one gateway is used at all others right after the answer, 10,000 times. */
import { expect, it } from 'vitest'
import type { Installation, WrittenConfig } from '../end-to-end/gateway.ts'
import { installStoreToken, type StoreToken } from '../end-to-end/key-stores.ts'
import { Fleet } from '../fleet/fleet.ts'
import { disconnectedStore, revocations, tries } from '../fleet/revocations.ts'
import { ownPostgresql } from '../postgresql.ts'

const total = Number(process.env.STRONGROOM_SOAK_TRIES ?? 10_000)

it(`${total} uses after a revocation, none of which succeeds`, async () => {
  await using server = await ownPostgresql()
  await using fleet = await Fleet.start({ server })
  const all = Object.entries(revocations)
  // Each is followed by a use at every gateway.
  const each = Math.ceil(total / all.length / fleet.members.length)
  const outcomes = all.map(async ([name, revocation]) => {
    const wrong = await tries(await revocation(fleet), fleet.members, each)
    return wrong.map(what => `${name}: ${what}`)
  })
  expect((await Promise.all(outcomes)).flat()).toEqual([])
  await fleet.stop()
})

it('a disconnected custom key store is used nowhere once that is answered', async () => {
  await using server = await ownPostgresql()
  let configure: (config: WrittenConfig) => void = () => {}
  const all: Pick<Installation, 'configure'> = {
    configure(change) {
      configure = change
    },
  }
  const token: StoreToken = await installStoreToken(all as Installation)
  await using fleet = await Fleet.start({ server, configure })
  expect(await tries(await disconnectedStore(fleet, token.settings), fleet.members, 20)).toEqual([])
  await fleet.stop()
  token.softHsm.remove()
})
