import pkcs11js from 'pkcs11js'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import {
  CryptokiError,
  classOf,
  failureFrom,
  recoveryFrom,
  returnCodeName,
  returnCodes,
} from '../../src/hsm/return-codes.ts'

const theirs = Object.entries(pkcs11js).filter(([name]) => name.startsWith('CKR_')) as [string, number][]

describe('return codes', () => {
  it('agree with the numbers of another implementation, and miss none of its', () => {
    expect(theirs.length).toBeGreaterThan(90)
    for (const [name, value] of theirs) expect([name, returnCodeName(value)]).toEqual([name, name])
  })

  it('have a number of their own each', () => {
    const values = Object.values(returnCodes).map(([value]) => value)
    expect(new Set(values).size).toBe(values.length)
  })

  it('that nobody knows share two names, and nothing is done about them', () => {
    expect(returnCodeName(0x8000_1087)).toBe('CKR_VENDOR_DEFINED')
    expect(returnCodeName(-1)).toBe('CKR_VENDOR_DEFINED')
    expect(returnCodeName(0x300)).toBe('CKR_UNKNOWN')
    expect(classOf(0x8000_1087)).toBe('unknown')
  })

  it.each([
    ['CKR_SESSION_HANDLE_INVALID', 'new session', 'KeyUnavailableException'],
    ['CKR_OPERATION_ACTIVE', 'new session', 'KeyUnavailableException'],
    ['CKR_USER_NOT_LOGGED_IN', 'replace worker', 'KeyUnavailableException'],
    ['CKR_OBJECT_HANDLE_INVALID', 'find again', 'KMSInvalidStateException'],
    ['CKR_KEY_HANDLE_INVALID', 'find again', 'KMSInvalidStateException'],
    ['CKR_DEVICE_ERROR', 'replace worker', 'KeyUnavailableException'],
    ['CKR_TOKEN_NOT_PRESENT', 'replace worker', 'KeyUnavailableException'],
    ['CKR_CRYPTOKI_NOT_INITIALIZED', 'replace worker', 'KeyUnavailableException'],
    ['CKR_SESSION_COUNT', 'none', 'KeyUnavailableException'],
    ['CKR_PIN_INCORRECT', 'stop', 'KeyUnavailableException'],
    ['CKR_PIN_LOCKED', 'stop', 'KeyUnavailableException'],
    ['CKR_GENERAL_ERROR', 'none', 'KMSInternalException'],
    ['CKR_ENCRYPTED_DATA_INVALID', 'none', 'InvalidCiphertextException'],
    ['CKR_MECHANISM_INVALID', 'none', 'UnsupportedOperationException'],
    ['CKR_TEMPLATE_INCONSISTENT', 'none', 'KMSInternalException'],
  ] as const)('%s: %s, else %s', (name, recovery, code) => {
    const error = new CryptokiError('C_Encrypt', returnCodes[name][0])
    expect(recoveryFrom(error)).toBe(recovery)
    expect(failureFrom(error)).toMatchObject({ code, message: '', cause: error })
  })

  it('leave alone what is no return code', () => {
    expect(recoveryFrom(new TypeError('x'))).toBe('none')
    expect(failureFrom(new TypeError('x')).code).toBe('KMSInternalException')
    const failure = new Failure('KMSInvalidStateException')
    expect(failureFrom(failure)).toBe(failure)
  })
})
