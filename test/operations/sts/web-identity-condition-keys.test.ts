import { describe, expect, it } from 'vitest'
import type { WebIdentityCaller } from '../../../src/model/identities/caller.ts'
import { webIdentityConditions } from '../../../src/operations/sts/web-identity-condition-keys.ts'

const issuer = 'Oidc.example.com:8443/id/A'
const subject = 'system:serviceaccount:default:app'

function aToken(claims: Readonly<Record<string, unknown>>, audience = 'sts.amazonaws.com'): WebIdentityCaller {
  const arn = `arn:aws:iam::111122223333:oidc-provider/${issuer}`
  const nothing = {
    account: '111122223333',
    principalId: '',
    accessKeyId: '',
    region: 'us-east-1',
    policies: [],
    tags: [],
  }
  return {
    ...nothing,
    type: 'webIdentity',
    arn,
    provider: arn,
    issuer,
    subject,
    audience,
    claims: { sub: subject, ...claims },
  }
}

const valuesIn = (claim: string, claims: object, audience?: string) =>
  webIdentityConditions(aToken(claims as Record<string, unknown>, audience))(`${issuer}:${claim}`.toLowerCase())

describe('the condition key of a claim', () => {
  it.each<readonly [claim: string, claims: object, values: readonly string[] | undefined]>([
    ['sub', {}, [subject]],
    ['aud', { aud: ['sts.amazonaws.com', 'other'] }, ['sts.amazonaws.com']],
    ['oaud', { aud: 'original', azp: 'sts.amazonaws.com' }, ['original']],
    ['oaud', { aud: ['one', 'two'], azp: 'sts.amazonaws.com' }, ['one', 'two']],
    ['oaud', { aud: 'sts.amazonaws.com' }, undefined],
    ['repository', { repository: 'octo-org/octo-repo' }, ['octo-org/octo-repo']],
    ['groups', { groups: ['users', 'admins'] }, ['users', 'admins']],
    ['run_attempt', { run_attempt: 1 }, ['1']],
    ['email_verified', { email_verified: false }, ['false']],
    ['kubernetes.io', { 'kubernetes.io': { namespace: 'default' } }, undefined],
    ['list', { list: ['a', { b: 'c' }] }, undefined],
    ['none', { none: null }, undefined],
    ['absent', {}, undefined],
    ['__proto__', {}, undefined],
    ['constructor', {}, undefined],
  ])('%s of %j is %j', (claim, claims, values) => {
    expect(valuesIn(claim, claims)).toEqual(values)
  })

  it.each(['SUB', 'Sub', 'AUD', 'Aud', 'OAUD', 'oaud'])(
    'is not that of a claim %s, which anybody may add who can add claims',
    name => {
      const forged = { [name]: 'repo:octo-org/octo-repo:ref:refs/heads/main' }
      for (const claims of [forged, { ...forged, sub: subject }, { sub: subject, ...forged }]) {
        expect(valuesIn('sub', claims)).toEqual([subject])
        expect(valuesIn('aud', claims)).toEqual(['sts.amazonaws.com'])
        expect(valuesIn('oaud', claims)).toBeUndefined()
      }
    },
  )

  it('has the values of all claims of that name, whatever their case: then a condition makes no policy wider', () => {
    for (const claims of [
      { repository: 'mine', REPOSITORY: 'theirs' },
      { REPOSITORY: 'theirs', repository: 'mine' },
    ]) {
      expect(valuesIn('repository', claims)?.toSorted()).toEqual(['mine', 'theirs'])
    }
  })

  it('is of no other caller and no other issuer', () => {
    expect(webIdentityConditions(aToken({}))('oidc.example.com:sub')).toBeUndefined()
  })
})
