import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { call, refusal, signedPost } from './requests.ts'

/** What infrastructure tools read at every run about grants and custom key stores. */

const other = '444455556666'
const principal = `arn:aws:iam::${home}:role/retirer`

let installation: Installation
let gateway: Gateway
let kms: KMS
let stranger: KMS

beforeAll(async () => {
  installation = await install({ accounts: [home, other] })
  gateway = await serve(installation)
  kms = gateway.client()
  stranger = gateway.client({ account: other })
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

/** @param accounts whose principals may use the key */
async function createKey(accounts: readonly string[] = [home], spec: object = {}) {
  const AWS = accounts.map(account => `arn:aws:iam::${account}:root`)
  const Statement = [{ Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' }]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  const { KeyMetadata } = await kms.createKey({ Policy, ...spec })
  return KeyMetadata as { readonly KeyId: string; readonly Arn: string; readonly CurrentKeyMaterialId: string }
}

const empty = (member: string) => ({ [member]: [], Truncated: false })
const notShared = (action: string, resource: string) =>
  `AccessDeniedException: User: arn:aws:iam::${other}:user/administrator is not authorized to perform: ${action} on resource: ${resource} because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access`

describe('grants', () => {
  it('do not exist, whatever the filter', async () => {
    const { KeyId, Arn } = await createKey([home, other])
    for (const filter of [{}, { GrantId: 'a'.repeat(64) }, { GranteePrincipal: principal }, { Limit: 100 }]) {
      expect(await call(kms, 'ListGrants', { KeyId, ...filter })).toEqual(empty('Grants'))
    }
    expect(await call(stranger, 'ListGrants', { KeyId: Arn })).toEqual(empty('Grants'))
    expect(await call(kms, 'ListRetirableGrants', { RetiringPrincipal: principal })).toEqual(empty('Grants'))
  })

  it.each<[OperationName, object, string]>([
    ['ListRetirableGrants', {}, 'You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.'],
    [
      'ListRetirableGrants',
      { RetiringPrincipal: principal, RetiringServicePrincipal: 's3.amazonaws.com' },
      'You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.',
    ],
    [
      'ListRetirableGrants',
      { RetiringServicePrincipal: 's3.amazonaws.com' },
      'RetiringServicePrincipal is not supported by this gateway.',
    ],
    [
      'ListGrants',
      { GranteePrincipal: principal, GranteeServicePrincipal: 's3.amazonaws.com' },
      'You can specify either GranteePrincipal or GranteeServicePrincipal, but not both.',
    ],
    [
      'ListGrants',
      { GranteeServicePrincipal: 's3.amazonaws.com' },
      'GranteeServicePrincipal can be used by AWS service principals only.',
    ],
  ])('are not listed by %s with %o', async (operation, filter, text) => {
    const { KeyId } = await createKey()
    const input = operation === 'ListGrants' ? { KeyId, ...filter } : filter
    expect(await refusal(call(kms, operation, input))).toBe(`ValidationException: ${text}`)
  })

  it('of another account’s principals are not listed', async () => {
    const foreign = `arn:aws:iam::${home}:user/administrator`
    expect(await refusal(stranger.listRetirableGrants({ RetiringPrincipal: foreign }))).toBe(
      notShared('kms:ListRetirableGrants', foreign),
    )
    expect(await refusal(kms.listRetirableGrants({ RetiringPrincipal: 'somebody' }))).toBe(
      "InvalidArnException: Invalid ARN 'somebody'",
    )
  })
})

describe('custom key stores', () => {
  it('do not exist, and cannot be found', async () => {
    expect(await call(kms, 'DescribeCustomKeyStores', {})).toEqual(empty('CustomKeyStores'))
    for (const name of [{ CustomKeyStoreId: 'cks-1234567890abcdef0' }, { CustomKeyStoreName: 'store' }]) {
      expect(await refusal(kms.describeCustomKeyStores(name))).toMatch(
        /^CustomKeyStoreNotFoundException: Custom key store \S+ is not found\.$/,
      )
    }
    expect(
      await refusal(kms.describeCustomKeyStores({ CustomKeyStoreId: 'cks-1', CustomKeyStoreName: 'store' })),
    ).toMatch(/^ValidationException: /)
  })
})

describe('keys of other accounts', () => {
  const listed = async (ResourceOwners: readonly string[], rest: object = {}) => {
    const credentials = installation.credentials[home]!
    const body = { ResourceOwners, ...rest }
    const answer = await signedPost({ url: gateway.url, credentials, target: 'ListKeys', body })
    return JSON.parse(answer.body) as { Keys: unknown[]; NextMarker?: string; __type?: string; message?: string }
  }

  it('are not listed', async () => {
    await Promise.all([createKey(), createKey()])
    const { Keys } = await kms.listKeys({ Limit: 1000 })
    expect((await listed(['SELF'], { Limit: 1000 })).Keys).toEqual(Keys)
    expect((await listed(['OTHER_ACCOUNTS_VIA_RAM', 'SELF'], { Limit: 1000 })).Keys).toEqual(Keys)
    expect(await listed(['OTHER_ACCOUNTS_VIA_RAM'])).toEqual(empty('Keys'))
    const { NextMarker: Marker } = await listed(['SELF'], { Limit: 1 })
    expect((await listed(['OTHER_ACCOUNTS_VIA_RAM'], { Marker })).__type).toBe('InvalidMarkerException')
  })

  it('can be requested for known owners only', async () => {
    expect((await listed(['NOBODY'])).message).toMatch(/at 'resourceOwners' .* \[SELF, OTHER_ACCOUNTS_VIA_RAM\]/)
    expect((await listed([])).message).toMatch(/at 'resourceOwners' .* length greater than or equal to 1$/)
  })
})

describe('every one of these calls', () => {
  it('checks its marker and its limit, and is on record', async () => {
    const { KeyId, Arn } = await createKey()
    const calls: readonly [OperationName, object, string[]][] = [
      ['ListGrants', { KeyId }, [Arn]],
      ['ListRetirableGrants', { RetiringPrincipal: principal }, []],
      ['ListKeyRotations', { KeyId }, [Arn]],
      ['DescribeCustomKeyStores', {}, []],
    ]
    for (const [operation, input, resources] of calls) {
      expect(await refusal(call(kms, operation, { ...input, Marker: 'junk' }))).toMatch(/^InvalidMarkerException/)
      expect(await refusal(call(kms, operation, { ...input, Limit: 1001 }))).toMatch(/^ValidationException/)
      await call(kms, operation, { ...input, Limit: 7 })
      const record = gateway.records().findLast(({ eventName }) => eventName === operation)!
      expect(record).toMatchObject({ readOnly: true, requestParameters: { limit: 7 }, responseElements: null })
      expect(record.resources?.map(({ ARN }) => ARN)).toEqual(resources)
    }
  })
})

describe('an unsupported operation', () => {
  const reason = ': pkcs11js has no C_EncapsulateKey and C_DecapsulateKey (PKCS#11 v3.2)'

  it.each(['Encapsulate', 'Decapsulate'])('refuses %s', async target => {
    const { body } = await signedPost({ url: gateway.url, credentials: installation.credentials[home]!, target })
    expect(JSON.parse(body)).toEqual({
      __type: 'UnsupportedOperationException',
      message: `${target} is not supported by this gateway${reason}.`,
    })
  })
})
