/** Custom key stores of several gateways: one tries the password, all use the keys, and none does after a disconnection. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import type { Installation, WrittenConfig } from '../end-to-end/gateway.ts'
import { installStoreToken, type StoreToken } from '../end-to-end/key-stores.ts'
import { type PostgresqlServer, postgresql } from '../postgresql.ts'
import { Fleet, type Member } from './fleet.ts'
import { disconnectedStore, tries } from './revocations.ts'

let server: PostgresqlServer
let fleet: Fleet
let token: StoreToken
let members: readonly Member[]
beforeAll(async () => {
  server = await postgresql()
  let configure: (config: WrittenConfig) => void = () => {}
  const written: Pick<Installation, 'configure'> = {
    configure(change) {
      configure = change
    },
  }
  token = await installStoreToken(written as Installation)
  fleet = await Fleet.start({ server, configure })
  members = fleet.members
})
afterAll(async () => {
  await fleet?.stop()
  await fleet?.[Symbol.asyncDispose]()
  await fleet?.database.drop()
  token?.softHsm.remove()
})

const call = (operation: OperationName, input: object, at = members[0]!) =>
  fleet.clients.administrator.expect(at.url, operation, input)

interface State {
  readonly ConnectionState: string
  readonly ConnectionErrorCode?: string
}

async function stateAt(at: Member, CustomKeyStoreId: unknown): Promise<State> {
  const { CustomKeyStores } = await call('DescribeCustomKeyStores', { CustomKeyStoreId }, at)
  const [{ ConnectionState, ConnectionErrorCode }] = CustomKeyStores as [State]
  return { ConnectionState, ...(ConnectionErrorCode !== undefined && { ConnectionErrorCode }) }
}

const reached = (CustomKeyStoreId: unknown, ConnectionState: string) =>
  expect.poll(async () => (await stateAt(members[1]!, CustomKeyStoreId)).ConnectionState).toBe(ConnectionState)

it('tries a wrong password once, whichever gateways are asked to connect the store', async () => {
  const input = { ...token.settings, KeyStorePassword: 'wrong-password' }
  const { CustomKeyStoreId } = await call('CreateCustomKeyStore', input)
  token.faults.set('count C_Login')
  await Promise.all(members.map(at => call('ConnectCustomKeyStore', { CustomKeyStoreId }, at)))
  await reached(CustomKeyStoreId, 'FAILED')
  const failed = { ConnectionState: 'FAILED', ConnectionErrorCode: 'INVALID_CREDENTIALS' }
  for (const at of members) expect(await stateAt(at, CustomKeyStoreId)).toEqual(failed)
  // Each gateway looks four times a second what there is to connect.
  await delay(600)
  expect(token.faults.counts()).toMatchObject([{ calls: 1 }])
  token.faults.clear()
  await call('DisconnectCustomKeyStore', { CustomKeyStoreId }, members[2])
  await reached(CustomKeyStoreId, 'DISCONNECTED')
  await call('DeleteCustomKeyStore', { CustomKeyStoreId }, members[1])
})

it('uses no key of a store once its disconnection is answered, and every key once it is connected again', async () => {
  expect(await tries(await disconnectedStore(fleet, token.settings), members, 2)).toEqual([])
})
