import { describe, expect, it } from 'vitest'
import { checkOidcProvider, oidcProviderArn } from '../../../src/model/identities/oidc-provider.ts'

const provider = { url: 'https://ci.example.com', audiences: ['sts.amazonaws.com'] }

describe('an OIDC provider', () => {
  it.each([
    'https://ci.example.com',
    'https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF',
    'https://cluster.local:6443',
    'https://192.0.2.1/realms/Main',
    'https://tenant.auth0.com/',
  ])('may be %s', url => checkOidcProvider({ ...provider, url }))

  it.each([
    'http://ci.example.com',
    'HTTPS://ci.example.com',
    'ci.example.com',
    'https://',
    'https://CI.example.com',
    'https://ci.example.com:443',
    'https://ci.example.com/a/../b',
    'https://ci.example.com?a=b',
    'https://ci.example.com?',
    'https://ci.example.com#a',
    'https://user@ci.example.com',
    'https://ci.example.com\n',
    `https://ci.example.com/${'a'.repeat(250)}`,
    '',
  ])('may not be %j', url => {
    expect(() => checkOidcProvider({ ...provider, url })).toThrow(expect.objectContaining({ code: 'Validation' }))
  })

  it.each<[string, object, string]>([
    ['no audience', { audiences: [] }, '1 to 100 audiences'],
    ['too many audiences', { audiences: Array.from({ length: 101 }, (_, n) => `${n}`) }, '1 to 100 audiences'],
    ['an empty audience', { audiences: [''] }, '1 to 255 characters'],
    ['a long audience', { audiences: ['a'.repeat(256)] }, '1 to 255 characters'],
    ['the same audience twice', { audiences: ['a', 'a'] }, 'twice'],
    ['two sources of keys', { jwksUrl: 'https://a.example.com', jwksFile: '/a' }, 'either jwksUrl or jwksFile'],
    ['keys by plain HTTP', { jwksUrl: 'http://a.example.com' }, 'not an https URL'],
    ['a relative file of keys', { jwksFile: 'jwks.json' }, 'not an absolute path'],
    ['a relative file of authorities', { caFile: '../ca.pem' }, 'not an absolute path'],
  ])('may not have %s', (_what, rest, message) => {
    expect(() => checkOidcProvider({ ...provider, ...rest })).toThrow(message)
  })

  it('has an ARN with its URL but the scheme', () => {
    const arn = oidcProviderArn('aws-cn', '111122223333', 'https://ci.example.com/a')
    expect(arn).toBe('arn:aws-cn:iam::111122223333:oidc-provider/ci.example.com/a')
  })
})
