import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isXksAccessKeyId, isXksSecretAccessKey } from '../../../src/model/xks/credentials.ts'
import { isXksErrorName, xksErrorMessage } from '../../../src/model/xks/errors.ts'
import {
  healthPath,
  isExternalKeyId,
  isUriPath,
  keyOperations,
  keyPath,
  parseXksPath,
  uriPathOf,
} from '../../../src/model/xks/uris.ts'

const keyId = fc.string({ unit: fc.constantFrom(...'aZ09._-'), minLength: 1, maxLength: 20 })
const prefix = fc
  .array(fc.constantFrom('a', 'kms', 'xks', 'v1', 'keys', 'health', 'metadata', 'B-_9'), { maxLength: 8 })
  .map(parts => parts.join('/'))

describe('a URI path', () => {
  it.each([
    '/kms/xks/v1',
    '/a/kms/xks/v1',
    '/a/b-c_D9/kms/xks/v1',
    '/kms/xks/v1/kms/xks/v1',
    `/${'a'.repeat(116)}/kms/xks/v1`,
  ])('may be %s', text => expect(isUriPath(text)).toBe(true))

  it.each([
    '',
    'kms/xks/v1',
    '/kms/xks/v2',
    '/kms/xks/v1/',
    '/kms/xks/v1\n',
    '/a.b/kms/xks/v1',
    '/ä/kms/xks/v1',
    '/a%20/kms/xks/v1',
    'x/kms/xks/v1',
    `/${'a'.repeat(117)}/kms/xks/v1`,
  ])('may not be %j', text => expect(isUriPath(text)).toBe(false))
})

describe('the path of a request', () => {
  it('has one meaning, whatever words the prefix and the key consist of', () => {
    fc.assert(
      fc.property(prefix, keyId, fc.constantFrom(...keyOperations), (prefix, keyId, operation) => {
        const uriPath = uriPathOf(prefix)
        expect(parseXksPath(healthPath(uriPath))).toEqual({ prefix, operation: 'health' })
        expect(parseXksPath(keyPath(uriPath, keyId, operation))).toEqual({ prefix, keyId, operation })
      }),
    )
  })

  it.each([
    '/',
    '/kms/xks/v1',
    '/kms/xks/v1/',
    '/kms/xks/v1/healthy',
    '/kms/xks/v1/health/',
    '/kms/xks/v2/health',
    '/KMS/xks/v1/health',
    '/kms/xks/v1/keys//encrypt',
    '/kms/xks/v1/keys/a/sign',
    '/kms/xks/v1/keys/a/Encrypt',
    '/kms/xks/v1/keys/a%2e/encrypt',
    '/kms/xks/v1/keys/a/b/encrypt',
    '/kms/xks/v1/keys/a/encrypt?x',
    `/kms/xks/v1/keys/${'a'.repeat(129)}/encrypt`,
    `/${'a'.repeat(240)}/kms/xks/v1/health`,
  ])('is none of the API: %s', path => expect(parseXksPath(path)).toBeUndefined())

  it('is read in time that grows with its length only', () => {
    const hostile = '/kms/xks/v1/keys'.repeat(15)
    for (let i = 0; i < 1000; i++) expect(parseXksPath(hostile)).toBeUndefined()
    expect(parseXksPath('/a'.repeat(1_000_000))).toBeUndefined()
  })
})

describe('an external key id', () => {
  it.each(['a', 'A-9._', '.', '..', 'a'.repeat(128)])('may be %s', text => expect(isExternalKeyId(text)).toBe(true))
  it.each(['', 'a'.repeat(129), 'a/b', 'a b', 'a:b', 'ä', 'a\n'])('may not be %j', text =>
    expect(isExternalKeyId(text)).toBe(false),
  )
})

describe('a credential', () => {
  it('has the forms that KMS accepts', () => {
    expect(['A'.repeat(20), '2'.repeat(30), 'AKIAI2SFODNN7EXAMPLE'].map(isXksAccessKeyId)).toEqual([true, true, true])
    for (const text of ['A'.repeat(19), 'A'.repeat(31), `${'A'.repeat(20)}1`, 'a'.repeat(20), `${'A'.repeat(20)}\n`])
      expect(isXksAccessKeyId(text), text).toBe(false)
    expect(['a'.repeat(43), '+/='.repeat(21)].map(isXksSecretAccessKey)).toEqual([true, true])
    for (const text of ['a'.repeat(42), 'a'.repeat(65), 'a-'.repeat(25)])
      expect(isXksSecretAccessKey(text), text).toBe(false)
  })
})

describe('an error', () => {
  it('has one of the names of the specification', () => {
    expect(isXksErrorName('ThrottlingException')).toBe(true)
    for (const name of ['', 'toString', '__proto__', 'throttlingException']) expect(isXksErrorName(name)).toBe(false)
  })

  it('has a message of fewer than 512 printable ASCII characters', () => {
    expect(xksErrorMessage('a\r\nb\tü\u{1f600}~ ')).toBe('a??b????~ ')
    expect(xksErrorMessage('x'.repeat(600))).toHaveLength(511)
  })
})
