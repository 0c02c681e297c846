import pkcs11js from 'pkcs11js'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import {
  CryptokiError,
  classOf,
  failureFrom,
  recoveryFrom,
  recoveryOfHealthy,
  returnCodeName,
  returnCodes,
} from '../../src/hsm/return-codes.ts'

const theirs = Object.entries(pkcs11js).filter(([name]) => name.startsWith('CKR_')) as [string, number][]

describe('return codes', () => {
  it('agree with the numbers of another implementation, and include all of them', () => {
    expect(theirs.length).toBeGreaterThan(90)
    for (const [name, value] of theirs) expect([name, returnCodeName(value)]).toEqual([name, name])
  })

  it('have a number of their own each', () => {
    const values = Object.values(returnCodes).map(([value]) => value)
    expect(new Set(values).size).toBe(values.length)
  })

  it('that are unknown share two names and prove nothing about the HSM', () => {
    expect(returnCodeName(0x8000_1087)).toBe('CKR_VENDOR_DEFINED')
    expect(returnCodeName(-1)).toBe('CKR_VENDOR_DEFINED')
    expect(returnCodeName(0x300)).toBe('CKR_UNKNOWN')
    expect(classOf(0x8000_1087)).toBe('unknown')
  })

  it.each([
    ['CKR_SESSION_HANDLE_INVALID', 'new session', 'KeyUnavailable'],
    ['CKR_OPERATION_ACTIVE', 'new session', 'KeyUnavailable'],
    ['CKR_USER_NOT_LOGGED_IN', 'log in again', 'KeyUnavailable'],
    ['CKR_OBJECT_HANDLE_INVALID', 'find again', 'KeyUnavailable'],
    ['CKR_KEY_HANDLE_INVALID', 'find again', 'KeyUnavailable'],
    ['CKR_DEVICE_ERROR', 'ask the canary', 'KeyUnavailable'],
    ['CKR_TOKEN_NOT_PRESENT', 'ask the canary', 'KeyUnavailable'],
    ['CKR_CRYPTOKI_NOT_INITIALIZED', 'replace worker', 'KeyUnavailable'],
    ['CKR_SESSION_COUNT', 'back off', 'Throttling'],
    ['CKR_PIN_INCORRECT', 'stop', 'KeyUnavailable'],
    ['CKR_PIN_LOCKED', 'stop', 'KeyUnavailable'],
    ['CKR_GENERAL_ERROR', 'ask the canary', 'Internal'],
    ['CKR_ENCRYPTED_DATA_INVALID', 'none', 'InvalidCiphertext'],
    ['CKR_TEMPLATE_INCONSISTENT', 'none', 'Internal'],
  ] as const)('%s: %s, else %s', (name, recovery, code) => {
    const error = new CryptokiError('C_Encrypt', returnCodes[name][0])
    expect(recoveryFrom(error)).toBe(recovery)
    expect(failureFrom(error)).toMatchObject({ code, message: '', cause: error })
  })

  it.each([
    ['CKR_DEVICE_ERROR', 'back off'],
    ['CKR_GENERAL_ERROR', 'none'],
    ['CKR_FUNCTION_FAILED', 'none'],
    ['CKR_SESSION_CLOSED', 'new session'],
  ] as const)('%s, of an HSM that works: %s', (name, recovery) => {
    expect(recoveryOfHealthy(new CryptokiError('C_Encrypt', returnCodes[name][0]))).toBe(recovery)
  })

  it.each([
    'CKR_MECHANISM_INVALID',
    'CKR_CURVE_NOT_SUPPORTED',
    'CKR_KEY_SIZE_RANGE',
    'CKR_PARAMETER_SET_NOT_SUPPORTED',
  ] as const)('%s: the HSM does not support the request, which the caller is told', name => {
    const error = new CryptokiError('C_GenerateKeyPair', returnCodes[name][0])
    expect(recoveryOfHealthy(error)).toBe('none')
    expect(failureFrom(error)).toMatchObject({
      code: 'UnsupportedOperation',
      message: `The HSM refuses this with ${name}.`,
      cause: error,
    })
  })

  it.each(['CKR_MECHANISM_INVALID', 'CKR_MECHANISM_PARAM_INVALID'] as const)(
    '%s: the HSM may have been re-initialized, so the canary key is tested first',
    name => {
      expect(recoveryFrom(new CryptokiError('C_EncryptInit', returnCodes[name][0]))).toBe('ask the canary')
    },
  )

  it('ignore other errors', () => {
    expect(recoveryFrom(new TypeError('x'))).toBe('none')
    expect(recoveryOfHealthy(new TypeError('x'))).toBe('none')
    expect(failureFrom(new TypeError('x')).code).toBe('Internal')
    const failure = new Failure('InvalidState')
    expect(failureFrom(failure)).toBe(failure)
  })
})
