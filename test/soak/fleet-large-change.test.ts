/** One change of 5,000 records, in a fleet. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { home } from '../end-to-end/gateway.ts'
import { Fleet, type Member } from '../fleet/fleet.ts'
import { ownPostgresql } from '../postgresql.ts'

vi.setConfig({ testTimeout: 180_000 })

const count = 5000

/** How many users the gateway shows. */
async function usersAt(member: Member): Promise<number> {
  const { file } = await member.administer(administer => administer<{ file: ExportedFile }>('ExportIdentities', {}))
  return Object.keys(file.accounts[home]?.users ?? {}).length
}

interface ExportedFile {
  readonly accounts: Readonly<Record<string, { readonly users?: object }>>
}

it('a change of thousands of records is applied by all gateways, which keep their leases and go on', async () => {
  await using server = await ownPostgresql()
  await using fleet = await Fleet.start({ server, gateways: 2 })
  const [one, two] = fleet.members as [Member, Member]
  const { administrator } = fleet.clients
  const { KeyMetadata } = await administrator.expect(one.url, 'CreateKey', {})
  const { KeyId } = KeyMetadata as { KeyId: string }
  const before = await usersAt(one)
  for (const number of [count, 0]) {
    let isDone = false
    const encrypting = fleet.members.map(async ({ url }) => {
      for (; !isDone; await delay(20)) await administrator.expect(url, 'Encrypt', { KeyId, Plaintext: 'AAAA' })
    })
    const users = Object.fromEntries(Array.from({ length: number }, (_, index) => [`user-${index}`, {}]))
    const file = { accounts: { [home]: { users } } }
    await one.administer(administer => administer('ApplyIdentities', { file })).finally(() => (isDone = true))
    await Promise.all(encrypting)
    expect(await Promise.all([usersAt(one), usersAt(two)])).toEqual([before + number, before + number])
  }
  expect(fleet.members.flatMap(member => member.complaints())).toEqual([])
  await fleet.stop()
})
