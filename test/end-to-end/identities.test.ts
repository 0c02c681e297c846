/** Callers of every kind, through the AWS SDK: users and role sessions, as key policies name them, limited, recorded, and gone. */
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, type Policy, policyOf, type Role, withIdentities } from './identities.ts'

const administrator = `arn:aws:iam::${home}:user/administrator`
const account = `arn:aws:iam::${home}:root`
const allow = (...Action: string[]) => policyOf({ Effect: 'Allow', Action, Resource: '*' })
const everything = allow('kms:*')

let installation: Installation
let gateway: Gateway
/** Users by name, sessions as role/session. */
const callers: Record<string, Identity> = {}
const roles: Record<string, Role> = {}

beforeAll(async () => {
  installation = await install()
  await withIdentities(installation, async identities => {
    const user = async (name: string, given: { policies?: Policy[]; boundary?: Policy }) => {
      callers[name.slice(name.lastIndexOf('/') + 1)] = await identities.user(home, name, given)
    }
    const session = async (role: string, name: string, given: object = {}) => {
      callers[`${role}/${name}`] = await identities.session(roles[role]!, name, given)
    }
    await user('division/alice', { policies: [everything] })
    await user('creator', { policies: [allow('kms:CreateKey')] })
    await user('bounded', { policies: [everything], boundary: allow('kms:ListKeys') })
    roles.backup = await identities.role(home, 'service/backup', { policies: [everything] })
    roles.idle = await identities.role(home, 'idle')
    roles.former = await identities.role(home, 'former')
    await session('backup', 'night')
    await session('backup', 'limited', { policies: [allow('kms:ListKeys', 'kms:Decrypt')] })
    await session('backup', 'late', { expiresAt: Date.now() - 1 })
    await session('idle', 'any')
    await session('former', 'any')
  })
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway.stop()
  installation.remove()
})

/** @param caller whose key is in `callers`; @param rest replaces members of its credentials */
function as(caller: string, rest: object = {}): KMS {
  return gateway.client({ credentials: { ...callers[caller]!.credentials, ...rest } })
}

/** A policy that lets the administrator do everything, and a principal encrypt. */
function keyPolicyFor(AWS: string): string {
  return JSON.stringify(
    policyOf(
      { Effect: 'Allow', Principal: { AWS: administrator }, Action: 'kms:*', Resource: '*' },
      { Effect: 'Allow', Principal: { AWS }, Action: 'kms:Encrypt', Resource: '*' },
    ),
  )
}

async function keyFor(principal: string): Promise<string> {
  const { KeyMetadata } = await gateway.client().createKey({ Policy: keyPolicyFor(principal) })
  return KeyMetadata!.KeyId!
}

const encrypt = (caller: string, KeyId: string) => as(caller).encrypt({ KeyId, Plaintext: Buffer.from('text') })

describe('a user who may create keys, and nothing else', () => {
  it('needs no permission to change the default policy, but to change one of its own', async () => {
    const { KeyMetadata } = await as('creator').createKey({})
    const { Policy } = await gateway.client().getKeyPolicy({ KeyId: KeyMetadata!.KeyId })
    await expect(as('creator').createKey({ Policy })).rejects.toThrow(
      'The new key policy will not allow you to update the key policy in the future.',
    )
    await as('creator').createKey({ Policy, BypassPolicyLockoutSafetyCheck: true })
  })
})

describe('a role session', () => {
  it('calls as itself, and is recorded with its role', async () => {
    await as('backup/night').listKeys()
    expect(gateway.records().at(-1)!.userIdentity).toEqual({
      type: 'AssumedRole',
      principalId: `${roles.backup!.principalId}:night`,
      arn: `arn:aws:sts::${home}:assumed-role/backup/night`,
      accountId: home,
      accessKeyId: callers['backup/night']!.credentials.accessKeyId,
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: roles.backup!.principalId,
          arn: `arn:aws:iam::${home}:role/service/backup`,
          accountId: home,
          userName: 'backup',
        },
        attributes: {
          creationDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          mfaAuthenticated: 'false',
        },
      },
    })
  })

  it('that has expired is refused', async () => {
    await expect(as('backup/late').listKeys()).rejects.toMatchObject({
      name: 'ExpiredTokenException',
      message: 'The security token included in the request is expired',
    })
  })

  it.each([
    ['without its token', () => undefined],
    ['with the token of another one', () => callers['backup/limited']!.credentials.sessionToken],
    ['with any text', () => 'not-a-token'],
  ])('%s is refused', async (_how, tokenOf) => {
    const sessionToken = tokenOf()
    await expect(as('backup/night', { sessionToken }).listKeys()).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.',
    })
  })

  it('creates a key that its role can change later, and none that would be locked to its role', async () => {
    const create = (AWS: string) => {
      const policy = policyOf({ Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' })
      return as('backup/night').createKey({ Policy: JSON.stringify(policy) })
    }
    await expect(create(roles.idle!.arn)).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
      message: 'The new key policy will not allow you to update the key policy in the future.',
    })
    const { KeyMetadata } = await create(roles.backup!.arn)
    await encrypt('backup/night', KeyMetadata!.KeyId!)
  })
})

describe('a user', () => {
  it('calls by its ARN, path included', async () => {
    await as('alice').listKeys()
    expect(gateway.records().at(-1)!.userIdentity).toMatchObject({
      type: 'IAMUser',
      arn: `arn:aws:iam::${home}:user/division/alice`,
      userName: 'alice',
    })
  })
})

describe('a key policy that names', () => {
  const role = (name: string) => `arn:aws:iam::${home}:role/${name}`
  const session = (name: string) => `arn:aws:sts::${home}:assumed-role/${name}`
  const user = (name: string) => `arn:aws:iam::${home}:user/${name}`
  const because = (kind: string) => `because no ${kind} policy allows the kms:Encrypt action`

  it.each([
    ['the account lets its user call', account, 'alice', undefined],
    ['the account lets a session call whose role may', account, 'backup/night', undefined],
    ['the account leaves a role without policies out', account, 'idle/any', because('identity-based')],
    ['the role lets its session call, whatever the policies of the role', role('idle'), 'idle/any', undefined],
    ['the role leaves the session policy in force', role('service/backup'), 'backup/limited', because('session')],
    ['the session lets it call in spite of the session policy', session('backup/limited'), 'backup/limited', undefined],
    ['a session lets no other one call', session('backup/limited'), 'backup/night', because('resource-based')],
    [
      'the account leaves the boundary in force',
      account,
      'bounded',
      'because no permissions boundary allows the kms:Encrypt action',
    ],
    ['the user lets it call in spite of its boundary', user('bounded'), 'bounded', undefined],
    ['a role lets no user call', role('idle'), 'alice', because('resource-based')],
  ])('%s', async (_what, principal, caller, denied) => {
    const call = encrypt(caller, await keyFor(principal))
    if (denied === undefined) await call
    else await expect(call).rejects.toThrow(denied)
  })

  it.each([
    ['a user that does not exist', user('alice')],
    ['a role without its path', role('backup')],
    ['a session of a role that does not exist', session('restore/night')],
  ])('%s is refused', async (_what, principal) => {
    await expect(keyFor(principal)).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
      message: 'Policy contains a statement with one or more invalid principals.',
    })
  })

  it('a role that is deleted and created again names nobody, until the policy is put again', async () => {
    const KeyId = await keyFor(role('former'))
    const policy = async () => (await gateway.client().getKeyPolicy({ KeyId })).Policy
    await encrypt('former/any', KeyId)
    expect(await policy()).toBe(keyPolicyFor(role('former')))
    await gateway.stop()
    const { principalId } = roles.former!
    await withIdentities(installation, async identities => {
      await identities.remove(roles.former!)
      roles.former = await identities.role(home, 'former')
      callers['former/again'] = await identities.session(roles.former, 'any')
    })
    gateway = await serve(installation)
    await expect(encrypt('former/any', KeyId)).rejects.toMatchObject({ name: 'UnrecognizedClientException' })
    await expect(encrypt('former/again', KeyId)).rejects.toThrow(because('resource-based'))
    expect(await policy()).toBe(keyPolicyFor(principalId))
    await gateway.client().putKeyPolicy({ KeyId, Policy: keyPolicyFor(role('former')) })
    await encrypt('former/again', KeyId)
    expect(await policy()).toBe(keyPolicyFor(role('former')))
  })
})
