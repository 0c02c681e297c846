/** Everything that takes a permission or a key away, at one gateway, to be tried at another. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { defaultKeyPolicy } from '../../src/model/keys/key.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Credentials, home } from '../end-to-end/gateway.ts'
import { type Answer, KmsClient } from './client.ts'
import type { Fleet, Member } from './fleet.ts'

/** Something that may be used, or not. */
export interface Subject {
  allow(at: Member): Promise<unknown>
  revoke(at: Member): Promise<unknown>
  use(at: Member): Promise<Answer>
  /** Code of the answer to a use once it is revoked. */
  readonly refusal: string
}

const plaintext = Buffer.from('a plaintext').toString('base64')
const user = 'alice'

export type Revocation = (fleet: Fleet) => Promise<Subject>

export const revocations: Readonly<Record<string, Revocation>> = {
  async DisableKey(fleet) {
    const { KeyId, administer, use } = await newKey(fleet)
    return {
      allow: administer('EnableKey', { KeyId }),
      revoke: administer('DisableKey', { KeyId }),
      use: use(fleet.clients.administrator),
      refusal: 'DisabledException',
    }
  },

  async ScheduleKeyDeletion(fleet) {
    const { KeyId, administer, use } = await newKey(fleet)
    let isScheduled = false
    return {
      async allow(at) {
        if (isScheduled) await administer('CancelKeyDeletion', { KeyId })(at)
        await administer('EnableKey', { KeyId })(at)
      },
      async revoke(at) {
        await administer('ScheduleKeyDeletion', { KeyId })(at)
        isScheduled = true
      },
      use: use(fleet.clients.administrator),
      refusal: 'KMSInvalidStateException',
    }
  },

  async PutKeyPolicy(fleet) {
    const { KeyId, administer, use } = await newKey(fleet)
    return {
      allow: administer('PutKeyPolicy', { KeyId, Policy: policyAllowing(fleet.clients.userArn) }),
      revoke: administer('PutKeyPolicy', { KeyId, Policy: defaultKeyPolicy(home, 'aws') }),
      use: use(fleet.clients.user),
      refusal: 'AccessDeniedException',
    }
  },

  RevokeGrant: fleet => grant(fleet, 'RevokeGrant'),
  RetireGrant: fleet => grant(fleet, 'RetireGrant'),

  async DeleteImportedKeyMaterial(fleet) {
    const { clients, members } = fleet
    const { KeyId, administer, use } = await newKey(fleet, { Origin: 'EXTERNAL' })
    const way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }
    const parameters = await clients.administrator.expect(members[0]!.url, 'GetParametersForImport', { KeyId, ...way })
    const publicKey = Buffer.from(parameters.PublicKey as string, 'base64')
    const EncryptedKeyMaterial = wrapMaterial(publicKey, 'RSAES_OAEP_SHA_256', randomBytes(32)).toString('base64')
    const material = { EncryptedKeyMaterial, ImportToken: parameters.ImportToken }
    const ExpirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE'
    const input = { KeyId, ...material, ExpirationModel }
    return {
      // Takes so long that it may lose every attempt against identities that change all the time, as beside other revocations.
      async allow({ url }) {
        const answer = () => clients.administrator.call(url, 'ImportKeyMaterial', input)
        let { status, code, output } = await answer()
        while (code === 'ThrottlingException') ({ status, code, output } = await answer())
        if (status !== 200) throw new Error(`ImportKeyMaterial: ${code}: ${output.message}`)
      },
      revoke: administer('DeleteImportedKeyMaterial', { KeyId }),
      use: use(clients.administrator),
      refusal: 'KMSInvalidStateException',
    }
  },

  async DeleteAccessKey(fleet) {
    const { administer, use, KeyId } = await newKey(fleet)
    await administer('PutKeyPolicy', { KeyId, Policy: policyAllowing(fleet.clients.userArn) })(fleet.members[0]!)
    let current: (Credentials & { readonly client: KmsClient }) | undefined
    return {
      async allow(at) {
        const credentials = await at.administer(call => call<Credentials>('CreateAccessKey', { account: home, user }))
        current = { ...credentials, client: new KmsClient(credentials) }
      },
      async revoke(at) {
        const { accessKeyId } = current!
        await at.administer(call => call('DeleteAccessKey', { accessKeyId }))
      },
      use: at => use(current!.client)(at),
      refusal: 'UnrecognizedClientException',
    }
  },

  async UpdateIdentity(fleet) {
    const { KeyId, use } = await newKey(fleet)
    const name = `user-of-${KeyId}`
    const policies = (Effect: string) => {
      const Statement = [{ Effect, Action: 'kms:Encrypt', Resource: '*' }]
      return { inlinePolicies: { own: { Version: '2012-10-17', Statement } } }
    }
    const identity = { account: home, kind: 'user', name }
    const update = (Effect: string) => (at: Member) => {
      return at.administer(call => call('UpdateIdentity', { ...identity, edits: { set: policies(Effect) } }))
    }
    const credentials = await fleet.members[0]!.administer(async call => {
      await call('CreateIdentity', { ...identity, entry: policies('Deny') })
      return call<Credentials>('CreateAccessKey', { account: home, user: name })
    })
    return {
      allow: update('Allow'),
      revoke: update('Deny'),
      use: use(new KmsClient(credentials)),
      refusal: 'AccessDeniedException',
    }
  },
}

/** @param settings of CreateCustomKeyStore; each gateway has the HSM in its configuration */
export async function disconnectedStore(fleet: Fleet, settings: object): Promise<Subject> {
  const { clients, members } = fleet
  const at = members[0]!
  const call = (operation: OperationName, input: object, { url } = at) => {
    return clients.administrator.expect(url, operation, input)
  }
  const { CustomKeyStoreId } = await call('CreateCustomKeyStore', settings)
  const until = async (member: Member, wanted: (state: string) => boolean) => {
    for (;;) {
      const { CustomKeyStores } = await call('DescribeCustomKeyStores', { CustomKeyStoreId }, member)
      const [{ ConnectionState }] = CustomKeyStores as [{ ConnectionState: string }]
      if (wanted(ConnectionState)) return
      if (ConnectionState === 'FAILED') throw new Error('the custom key store cannot be connected')
      await delay(20)
    }
  }
  const connect = async (member: Member) => {
    await until(member, state => state === 'DISCONNECTED')
    await call('ConnectCustomKeyStore', { CustomKeyStoreId }, member)
    await until(member, state => state === 'CONNECTED')
  }
  await connect(at)
  // The first gateway that is connected says so for all.
  const isConnectedHere = () => newKey(fleet, { CustomKeyStoreId, Origin: 'AWS_CLOUDHSM' }).catch(() => undefined)
  let key = await isConnectedHere()
  for (; key === undefined; key = await isConnectedHere()) await delay(100)
  const { use } = key
  const { administrator } = clients
  let isConnected = true
  return {
    async allow(member) {
      if (!isConnected) await connect(member)
      // Each gateway has a connection of its own.
      for (const each of members) while ((await use(administrator)(each)).code !== undefined) await delay(20)
    },
    async revoke(member) {
      await call('DisconnectCustomKeyStore', { CustomKeyStoreId }, member)
      isConnected = false
    },
    use: use(administrator),
    refusal: 'KMSInvalidStateException',
  }
}

async function grant(fleet: Fleet, name: 'RevokeGrant' | 'RetireGrant'): Promise<Subject> {
  const { arn, administer, use } = await newKey(fleet)
  const { userArn } = fleet.clients
  const input = { KeyId: arn, GranteePrincipal: userArn, RetiringPrincipal: userArn, Operations: ['Encrypt'] }
  let GrantId: unknown
  return {
    async allow(at) {
      GrantId = (await administer('CreateGrant', input)(at)).GrantId
    },
    revoke(at) {
      const client = name === 'RetireGrant' ? fleet.clients.user : fleet.clients.administrator
      return client.expect(at.url, name, { KeyId: arn, GrantId })
    },
    use: use(fleet.clients.user),
    refusal: 'AccessDeniedException',
  }
}

async function newKey({ clients, members }: Fleet, input: object = {}) {
  const { KeyMetadata } = await clients.administrator.expect(members[0]!.url, 'CreateKey', input)
  const { KeyId, Arn: arn } = KeyMetadata as { KeyId: string; Arn: string }
  return {
    KeyId,
    arn,
    administer: (operation: OperationName, input: object) => (at: Member) => {
      return clients.administrator.expect(at.url, operation, input)
    },
    use: (client: KmsClient) => (at: Member) => client.call(at.url, 'Encrypt', { KeyId, Plaintext: plaintext }),
  }
}

export function policyAllowing(principal: string): string {
  const policy = JSON.parse(defaultKeyPolicy(home, 'aws')) as { Statement: object[] }
  const Action = ['kms:Encrypt', 'kms:Decrypt', 'kms:DescribeKey']
  policy.Statement.push({ Effect: 'Allow', Principal: { AWS: principal }, Action, Resource: '*' })
  return JSON.stringify(policy)
}

/**
 * Allows at one gateway and uses at all others, revokes and uses at all others, as often as asked for.
 *
 * @returns what was answered otherwise than it must be
 */
export async function tries(subject: Subject, members: readonly Member[], count: number): Promise<string[]> {
  const wrong: string[] = []
  for (let index = 0; index < count; index++) {
    const at = (offset: number) => members[(index + offset) % members.length]!
    const uses = () => Promise.all(members.map(member => subject.use(member)))
    await subject.allow(at(0))
    for (const { code } of await uses()) if (code !== undefined) wrong.push(`${code}, although it is allowed`)
    await subject.revoke(at(1))
    for (const { code } of await uses()) if (code !== subject.refusal) wrong.push(`${code}, although it is revoked`)
  }
  return wrong
}
