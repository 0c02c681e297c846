/** Requests of which only one can be done. Each is sent to a gateway of its own, and all are decided before one is committed. */
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { home } from '../end-to-end/gateway.ts'
import { type StoreToken, spareId } from '../end-to-end/key-stores.ts'
import type { Member } from './fleet.ts'

/** @param index of the gateway */
export type Asked = (at: Member, index: number) => Promise<unknown>

/** A fleet, with an HSM for custom key stores. */
export interface Scene {
  readonly token: StoreToken
  /** Rejects with the code and message of a refusal. @param at default: the first gateway */
  call(operation: OperationName, input: object, at?: Member): Promise<Readonly<Record<string, unknown>>>
  administer(operation: string, input: object, at?: Member): Promise<unknown>
  /** Resolves to its id. */
  newKey(): Promise<string>
}

const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' }] }
const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: home } }
export const identity = (kind: string, name: string, entry: object = {}, account = home) => ({
  account,
  kind,
  name,
  entry,
})
const prefix = (name: string) => ({ prefix: name, account: home, region: 'us-east-1' })
export const service = (name: string, user: string) => ({ name, user: { account: home, name: user }, accounts: [home] })

interface Contested {
  /** Of those that come too late. */
  readonly refusal: RegExp
  prepare(scene: Scene): Promise<Asked>
}

/** Names must differ in more than case. */
function nameOf(kind: string, entry?: object): Contested {
  return {
    refusal: /already/,
    prepare: async ({ administer }) => {
      return (at, index) => administer('CreateIdentity', identity(kind, ['name', 'Name', 'NAME'][index]!, entry), at)
    },
  }
}

/** What only one may have. */
export const contested: Readonly<Record<string, Contested>> = {
  'the name of an alias': {
    refusal: /AlreadyExistsException/,
    async prepare({ call, newKey }) {
      const keys = await Promise.all([newKey(), newKey(), newKey()])
      return (at, index) => call('CreateAlias', { AliasName: 'alias/one', TargetKeyId: keys[index] }, at)
    },
  },
  'the name of a custom key store': {
    refusal: /CustomKeyStoreNameInUseException/,
    async prepare({ call, token: { settings } }) {
      const clusters = [spareId, settings.CloudHsmClusterId, spareId]
      return (at, index) => call('CreateCustomKeyStore', { ...settings, CloudHsmClusterId: clusters[index] }, at)
    },
  },
  'an account': {
    refusal: /exists/,
    prepare: async scene => at => scene.administer('CreateAccount', { account: '444455556666' }, at),
  },
  'the name of a user': nameOf('user'),
  'the name of a role': nameOf('role', { trustPolicy: { ...document, Statement: [trust] } }),
  'the name of a group': nameOf('group'),
  'the name of a policy': nameOf('policy', { document }),
  'an XKS prefix': {
    refusal: /already/,
    prepare: async scene => at => scene.administer('CreateXksPrefix', prefix('one'), at),
  },
  'the ID of an external key': {
    refusal: /already/,
    async prepare({ administer, newKey }) {
      await administer('CreateXksPrefix', prefix('two'))
      const input = { prefix: 'two', key: await newKey(), id: 'one' }
      return at => administer('CreateXksKey', input, at)
    },
  },
  'the last access key of a user': {
    refusal: /AccessKeysPerUser/,
    async prepare({ administer }) {
      const user = { account: home, user: 'holder' }
      await administer('CreateIdentity', identity('user', 'holder'))
      await administer('CreateAccessKey', user)
      return at => administer('CreateAccessKey', user, at)
    },
  },
  'the user of a service': {
    refusal: /already/,
    async prepare({ administer }) {
      await administer('CreateIdentity', identity('user', 'integrator'))
      const services = ['s3.amazonaws.com', 'ec2.amazonaws.com', 'lambda.amazonaws.com']
      return (at, index) => administer('PutService', service(services[index]!, 'integrator'), at)
    },
  },
}

let count = 0
const newName = () => `name-${count++}`

/** Pairs of requests. */
export const exclusive: Readonly<Record<string, (scene: Scene) => Promise<readonly [Asked, Asked]>>> = {
  async 'an account is deleted, and gets a user'({ administer }) {
    const account = `${555555555550 + count++}`
    await administer('CreateAccount', { account })
    return [
      at => administer('DeleteAccount', { account }, at),
      at => administer('CreateIdentity', identity('user', 'alice', {}, account), at),
    ]
  },
  async 'an account is deleted, and gets an XKS prefix'({ administer }) {
    const account = `${555555555550 + count++}`
    await administer('CreateAccount', { account })
    return [
      at => administer('DeleteAccount', { account }, at),
      at => administer('CreateXksPrefix', { ...prefix(newName()), account }, at),
    ]
  },
  async 'a group is deleted, and gets a member'({ administer }) {
    const group = newName()
    await administer('CreateIdentity', identity('group', group))
    return [
      at => administer('DeleteIdentity', { account: home, kind: 'group', name: group }, at),
      at => administer('CreateIdentity', identity('user', newName(), { groups: [group] }), at),
    ]
  },
  async 'a user is deleted, and becomes a service'({ administer }) {
    const user = newName()
    await administer('CreateIdentity', identity('user', user))
    return [
      at => administer('DeleteIdentity', { account: home, kind: 'user', name: user }, at),
      at => administer('PutService', service(`${user}.amazonaws.com`, user), at),
    ]
  },
  async 'an XKS prefix is deleted, and gets an external key'({ administer, newKey }) {
    const [name, key] = [newName(), await newKey()]
    await administer('CreateXksPrefix', prefix(name))
    return [
      at => administer('DeleteXksPrefix', { prefix: name }, at),
      at => administer('CreateXksKey', { prefix: name, key }, at),
    ]
  },
  async 'a custom key store is deleted, and connected'({ call, token }) {
    const { CustomKeyStoreId } = await call('CreateCustomKeyStore', {
      ...token.settings,
      CustomKeyStoreName: newName(),
    })
    return [
      at => call('DeleteCustomKeyStore', { CustomKeyStoreId }, at),
      at => call('ConnectCustomKeyStore', { CustomKeyStoreId }, at),
    ]
  },
}
