import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import type { ApiRequest } from '../../../src/apis/api.ts'
import { kms as api } from '../../../src/apis/kms/kms.ts'
import { Failure, type FailureCode } from '../../../src/errors.ts'
import { encrypt } from '../../../src/operations/kms/cryptography/encrypt.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'
import { call, lowerCase } from './sdk.ts'

const named = (name: string) => ({ name }) as AnyOperation
const type = 'application/x-amz-json-1.1'
const request = (changes: Partial<ApiRequest> = {}, headers: ApiRequest['headers'] = {}): ApiRequest => ({
  method: 'POST',
  url: '/',
  headers: { 'x-amz-target': 'TrentService.Encrypt', 'content-type': type, ...headers },
  body: async () => Buffer.from('{"KeyId":"k","Plaintext":"AAAA"}'),
  sourceAddress: '127.0.0.1',
  secure: false,
  ...changes,
})

const target = (value: string | string[] | undefined) => request({}, { 'x-amz-target': value })
const contentType = (value: string | undefined) => request({}, { 'content-type': value })

const requestId = '0b4cf6a2-0000-4000-8000-000000000000'
const refusedBody = (code: FailureCode, message?: string) =>
  api.refuse(new Failure(code, message), requestId, request()).body

describe('the operation of a request', () => {
  it.each([
    ['plain', request()],
    ['with a query', request({ url: '/?debug' })],
    ['in JSON 1.0', contentType('application/x-amz-json-1.0')],
    ['with a content type in capitals and a parameter', contentType('Application/X-Amz-JSON-1.1; charset=utf-8')],
  ])('is found: %s', (_, found) => {
    expect(api.operation(found)).toBe(encrypt)
  })

  it('is what the SDK asked for', async () => {
    let found: unknown
    await call('Encrypt', { KeyId: 'k', Plaintext: Uint8Array.of(1) }, ({ method, path, headers, body }) => {
      found = api.operation({
        method,
        url: path,
        headers: lowerCase(headers),
        body: async () => body,
        sourceAddress: '',
        secure: false,
      })
      return { status: 200, headers: {}, body: '{}' }
    })
    expect(found).toBe(encrypt)
  })

  it.each([
    ['no target', target(undefined)],
    ['two targets', target(['TrentService.Encrypt', 'TrentService.Encrypt'])],
    ['an unknown target', target('TrentService.Fly')],
    ['a target of another service', target('DynamoDB_20120810.Encrypt')],
    ['a target without its service', target('Encrypt')],
    ['a target in lower case', target('TrentService.encrypt')],
    ['a target named like a property of objects', target('TrentService.__proto__')],
    ['another method', request({ method: 'GET' })],
    ['another path', request({ url: '/kms' })],
    ['no content type', contentType(undefined)],
    ['another content type', contentType('application/json')],
    ['no JSON at all', contentType('application/cbor')],
    ['a content type that only begins alike', contentType('application/x-amz-json-1.10')],
  ])('is unknown: %s', (_, unknown) => {
    expect(() => api.operation(unknown)).toThrow(expect.objectContaining({ code: 'UnknownOperation', message: '' }))
  })

  it('is refused if AWS KMS has it and this gateway does not', () => {
    expect(() => api.operation(target('TrentService.Encapsulate'))).toThrow(
      expect.objectContaining({
        code: 'UnsupportedOperation',
        message: expect.stringMatching(/^Encapsulate is not supported by this gateway: /),
      }),
    )
  })
})

describe('a request', () => {
  it('is decoded by the shape of its operation', async () => {
    expect(api.input(encrypt, await request().body())).toEqual({ KeyId: 'k', Plaintext: Buffer.from([0, 0, 0]) })
  })
})

describe('an answer', () => {
  const headers = {
    'x-amzn-RequestId': requestId,
    'Content-Type': type,
    'Cache-Control': 'no-cache, no-store, must-revalidate, private',
    Expires: '0',
    Pragma: 'no-cache',
  }

  it('carries the output and the headers of AWS', () => {
    expect(api.accept(encrypt, { KeyId: 'k' }, requestId, request())).toEqual({
      status: 200,
      headers,
      body: '{"KeyId":"k"}',
    })
    expect(api.accept(named('EnableKey'), undefined, requestId, request())).toEqual({ status: 200, headers, body: '' })
  })

  it('carries a failure with its status', () => {
    expect(api.refuse(new Failure('NotFound', "Invalid keyId 'x'"), requestId, request())).toEqual({
      status: 400,
      headers,
      body: `{"__type":"NotFoundException","message":"Invalid keyId 'x'"}`,
    })
    expect(api.refuse(new Failure('DependencyTimeout'), requestId, request()).status).toBe(503)
  })

  it('to JSON 1.0 is JSON 1.0, whose errors have a namespace', () => {
    const json10 = 'application/x-amz-json-1.0'
    const asked = contentType(json10)
    expect(api.accept(encrypt, {}, requestId, asked).headers).toEqual({ ...headers, 'Content-Type': json10 })
    const types = (['NotFound', 'Validation', 'AccessDenied'] as const).map(code => {
      const refused = api.refuse(new Failure(code), requestId, asked)
      expect(refused.headers).toEqual({ ...headers, 'Content-Type': json10 })
      return JSON.parse(String(refused.body)).__type
    })
    expect(types).toEqual([
      'com.amazonaws.kms#NotFoundException',
      'com.amazon.coral.validate#ValidationException',
      'com.amazon.coral.service#AccessDeniedException',
    ])
  })

  it('has no message when there is none', () => {
    expect(refusedBody('InvalidCiphertext')).toBe('{"__type":"InvalidCiphertextException"}')
  })

  it('writes the message of AccessDeniedException with a capital', () => {
    expect(refusedBody('AccessDenied', 'No.')).toBe('{"__type":"AccessDeniedException","Message":"No."}')
  })

  it.each<[FailureCode, string, string]>([
    ['NotFound', 'gone', 'NotFoundException'],
    ['AccessDenied', 'No.', 'AccessDeniedException'],
    ['Validation', '1 validation error detected: …', 'ValidationException'],
    ['Internal', '', 'KMSInternalException'],
    ['InvalidMac', '', 'KMSInvalidMacException'],
    ['InvalidState', 'key is disabled', 'KMSInvalidStateException'],
    ['InvalidSignature', '', 'KMSInvalidSignatureException'],
    ['InvalidTag', '', 'TagException'],
  ])('is the same error for the SDK: %s', async (code, message, name) => {
    expect(api.errorCode(new Failure(code), request())).toBe(name)
    const answer = call('Encrypt', { KeyId: 'k', Plaintext: Uint8Array.of(1) }, () =>
      api.refuse(new Failure(code, message), requestId, request()),
    )
    await expect(answer).rejects.toMatchObject({
      name,
      $metadata: { httpStatusCode: new Failure(code).status, requestId },
      ...(message === '' ? {} : { message }),
    })
  })
})
