/** Callers of every kind, through the AWS SDK: users and role sessions, as they are named, limited, recorded, and gone. */
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, type Role, withIdentities } from './identities.ts'

const everything = policyOf({ Effect: 'Allow', Action: 'kms:*', Resource: '*' })

let installation: Installation
let gateway: Gateway
let role: Role
let night: Identity
let late: Identity
let alice: Identity

beforeAll(async () => {
  installation = await install()
  await withIdentities(installation, async identities => {
    alice = await identities.user(home, 'division/alice', { policies: [everything] })
    role = await identities.role(home, 'service/backup', { policies: [everything] })
    night = await identities.session(role, 'night@example.com')
    late = await identities.session(role, 'late', { expiresAt: Date.now() - 1 })
  })
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway.stop()
  installation.remove()
})

const as = ({ credentials }: Identity, rest: object = {}): KMS =>
  gateway.client({ credentials: { ...credentials, ...rest } })

describe('a role session', () => {
  it('calls as itself, and is recorded with its role', async () => {
    await as(night).listKeys()
    const record = gateway.records().at(-1)!
    expect(record.userIdentity).toEqual({
      type: 'AssumedRole',
      principalId: `${role.principalId}:night@example.com`,
      arn: `arn:aws:sts::${home}:assumed-role/backup/night@example.com`,
      accountId: home,
      accessKeyId: night.credentials.accessKeyId,
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: role.principalId,
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
    await expect(as(late).listKeys()).rejects.toMatchObject({
      name: 'ExpiredTokenException',
      message: 'The security token included in the request is expired',
    })
  })

  it.each([
    ['without its token', undefined],
    ['with another token', 'not-a-token-of-late'],
  ])('%s is refused', async (_how, sessionToken) => {
    await expect(as(night, { sessionToken }).listKeys()).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.',
    })
  })
})

describe('a user', () => {
  it('calls by its ARN, path included', async () => {
    await as(alice).listKeys()
    expect(gateway.records().at(-1)!.userIdentity).toMatchObject({
      type: 'IAMUser',
      arn: `arn:aws:iam::${home}:user/division/alice`,
      userName: 'alice',
    })
  })
})
