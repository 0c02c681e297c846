import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide } from '../../../src/authorization/decide.ts'
import {
  checkManagement,
  isPredefinedAlias,
  newServiceKey,
  predefinedAlias,
  type ServiceKeyPlace,
  servicesOfAws,
} from '../../../src/model/keys/service-keys.ts'
import { keyActions } from '../../../src/operations/kms/condition-keys.ts'

const account = '111122223333'
const region = 'us-east-1'
const id = '00000000-0000-4000-8000-000000000000'
const ofEc2: ServiceKeyPlace = { service: 'ec2.amazonaws.com', account, region, owned: false, direct: false }
const policyOf = (place: Partial<ServiceKeyPlace> = {}) =>
  newServiceKey(id, 'alias/aws/ebs', { ...ofEc2, ...place }).key.policy

describe('the predefined alias of a service', () => {
  it.each([
    ['s3.amazonaws.com', 'alias/aws/s3'],
    ['ec2.amazonaws.com', 'alias/aws/ebs'],
    ['own-service.amazonaws.com', 'alias/aws/own-service'],
    ['constructor.amazonaws.com', 'alias/aws/constructor'],
    // It would be that of ec2.
    ['ebs.amazonaws.com', undefined],
    ['ops.apigateway.amazonaws.com', undefined],
    ['s3.us-east-1.amazonaws.com', undefined],
    ['.amazonaws.com', undefined],
    ['amazonaws.com', undefined],
    ['s3.amazonaws.com.cn', undefined],
    ['s3xamazonaws.com', undefined],
  ])('%s: %s', (service, alias) => {
    expect(predefinedAlias(service)).toBe(alias)
  })

  it('is that of no other service, and may be created by nobody', () => {
    const label = fc.stringMatching(/^[a-z0-9-]{1,8}$/).map(label => `${label}.amazonaws.com`)
    const service = fc.oneof(fc.constantFrom(...servicesOfAws), label)
    fc.assert(
      fc.property(service, service, (one, other) => {
        const alias = predefinedAlias(one)
        if (alias === undefined) return
        expect(isPredefinedAlias(alias)).toBe(true)
        if (one !== other) expect(predefinedAlias(other)).not.toBe(alias)
      }),
    )
  })
})

it.each([
  ['alias/aws/s3', 'Default key that protects my S3 objects when no other key is defined'],
  ['alias/aws/ebs', 'Default key that protects my EBS volumes when no other key is defined'],
  ['alias/aws/constructor', 'Default key that protects my constructor data when no other key is defined'],
])('the key of %s has a description: %s', (alias, description) => {
  expect(newServiceKey(id, alias, ofEc2).key.description).toBe(description)
})

it('is not managed, whatever policies say, by any action that its policy leaves out', () => {
  const { key } = newServiceKey(id, 'alias/aws/ebs', ofEc2)
  const refused = keyActions.filter(action => {
    try {
      checkManagement(key, action)
      return false
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: 'AccessDenied' })
      return true
    }
  })
  const used = /^(Describe|Get|List|Generate|Sign$|Verify)|crypt(From|To)?$|Grant$|^DeriveSharedSecret$|capsulate$/
  expect(refused).toEqual(keyActions.filter(action => !used.test(action)))
  for (const action of keyActions) checkManagement({ ...key, manager: undefined }, action)
})

describe('the key policy of a key of a service', () => {
  const resource = `arn:aws:kms:${region}:${account}:key/${id}`
  const everything = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
  const administrator = { arn: `arn:aws:iam::${account}:user/admin`, account, principalId: 'AIDAADMIN', region }
  const root = { ...administrator, arn: `arn:aws:iam::${account}:root`, principalId: account }
  const service = { arn: ofEc2.service, account: '', principalId: ofEc2.service, service: ofEc2.service, region }
  const via = { 'kms:viaservice': `ec2.${region}.amazonaws.com`, 'kms:calleraccount': account }

  type Principal = typeof administrator
  /** The actions on keys that it allows. */
  function allowed(
    policy: string,
    principal: Principal,
    context: Readonly<Record<string, string>>,
    identity = [everything],
  ): readonly string[] {
    return keyActions.filter(action => {
      const values = (name: string) => (context[name] === undefined ? undefined : [context[name]])
      const request = { principal, action: `kms:${action}`, resource, account, context: values }
      return decide(request, {
        identity: principal.account === '' ? [] : identity,
        resource: { text: policy, principalIds: {} },
      }).allowed
    })
  }

  const cryptography = [
    ...['Decrypt', 'DescribeKey', 'Encrypt', 'GenerateDataKey', 'GenerateDataKeyPair'],
    ...['GenerateDataKeyPairWithoutPlaintext', 'GenerateDataKeyWithoutPlaintext', 'ReEncryptFrom', 'ReEncryptTo'],
  ]
  const shown = keyActions.filter(action => /^(Describe|Get|List)/.test(action))
  const sorted = (...actions: readonly string[]) => [...new Set(actions)].sort()

  it('allows every principal of its account to look at it, and to use it through its service: nothing else', () => {
    const policy = policyOf()
    const direct = sorted(...shown, 'RevokeGrant')
    for (const principal of [administrator, root]) {
      expect([...allowed(policy, principal, { 'kms:calleraccount': account })].sort()).toEqual(direct)
      expect([...allowed(policy, principal, via)].sort()).toEqual(sorted(...direct, ...cryptography, 'CreateGrant'))
    }
    const others = { 'kms:viaservice': `s3.${region}.amazonaws.com`, 'kms:calleraccount': account }
    expect([...allowed(policy, administrator, others)].sort()).toEqual(direct)
    const foreign = {
      ...administrator,
      arn: administrator.arn.replace(account, '444455556666'),
      account: '444455556666',
    }
    expect(allowed(policy, foreign, { ...via, 'kms:calleraccount': '444455556666' })).toEqual([])
  })

  it('allows its service to use it for resources of its account: nothing else', () => {
    const policy = policyOf()
    expect([...allowed(policy, service, { 'aws:sourceaccount': account })].sort()).toEqual(sorted(...cryptography))
    expect(allowed(policy, service, {})).toEqual([])
    expect(allowed(policy, service, { 'aws:sourceaccount': '444455556666' })).toEqual([])
    const another = {
      ...service,
      arn: 's3.amazonaws.com',
      principalId: 's3.amazonaws.com',
      service: 's3.amazonaws.com',
    }
    expect(allowed(policy, another, { 'aws:sourceaccount': account })).toEqual([])
  })

  it('of an AWS owned key allows its service to use it, and nobody else anything', () => {
    const policy = policyOf({ owned: true })
    expect([...allowed(policy, service, {})].sort()).toEqual(sorted(...cryptography))
    for (const principal of [administrator, root]) expect(allowed(policy, principal, via)).toEqual([])
  })

  it('in emulator mode allows its account to use it without the service, by identity-based policies, and still no management', () => {
    const policy = policyOf({ direct: true })
    const own = { 'kms:calleraccount': account }
    const direct = sorted(...shown, 'RevokeGrant', ...cryptography, 'CreateGrant')
    expect([...allowed(policy, administrator, own)].sort()).toEqual(direct)
    expect(allowed(policy, administrator, own, [])).toEqual([])
  })

  it('names the service as the partition of its region does', () => {
    for (const region of ['us-east-1', 'cn-north-1', 'us-gov-west-1'])
      expect(policyOf({ region })).toContain(`"kms:ViaService": "ec2.${region}.amazonaws.com`)
    expect(policyOf({ region: 'cn-north-1' })).toContain(`arn:aws-cn:iam::${account}:root`)
  })
})
