import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import type { ApiRequest } from '../../../src/apis/api.ts'
import { KmsApi } from '../../../src/apis/kms/kms.ts'
import { Failure, type FailureCode } from '../../../src/errors.ts'
import type { Caller } from '../../../src/model/caller.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'
import { call, lowerCase } from './sdk.ts'

const named = (name: string) => ({ name }) as AnyOperation
const encrypt = named('Encrypt')
const caller = { account: '111122223333' } as Caller
const api = new KmsApi({ authenticate: async () => caller, operations: new Map([['Encrypt', encrypt]]) })

const type = 'application/x-amz-json-1.1'
const request = (changes: Partial<ApiRequest> = {}, headers: ApiRequest['headers'] = {}): ApiRequest => ({
  method: 'POST',
  url: '/',
  headers: { 'x-amz-target': 'TrentService.Encrypt', 'content-type': type, ...headers },
  body: async () => Buffer.from('{"KeyId":"k","Plaintext":"AAAA"}'),
  sourceAddress: '127.0.0.1',
  ...changes,
})

const target = (value: string | string[] | undefined) => request({}, { 'x-amz-target': value })
const contentType = (value: string | undefined) => request({}, { 'content-type': value })

const requestId = '0b4cf6a2-0000-4000-8000-000000000000'
const refusedBody = (code: FailureCode, message?: string) => api.refuse(new Failure(code, message), requestId).body

describe('the operation of a request', () => {
  it.each([
    ['plain', request()],
    ['with a query', request({ url: '/?debug' })],
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
    ['another content type', contentType('application/x-amz-json-1.0')],
    ['a content type that only begins alike', contentType('application/x-amz-json-1.10')],
  ])('is unknown: %s', (_, unknown) => {
    expect(() => api.operation(unknown)).toThrow(
      expect.objectContaining({ code: 'UnknownOperationException', message: '' }),
    )
  })

  it('is refused by name when AWS KMS has it and this gateway does not', () => {
    expect(() => api.operation(target('TrentService.ReplicateKey'))).toThrow(
      expect.objectContaining({
        code: 'UnsupportedOperationException',
        message: 'ReplicateKey is not supported by this gateway.',
      }),
    )
  })
})

describe('a request', () => {
  it('is authenticated by what the API was given, whatever it asks for', async () => {
    expect(await api.authenticate(target('TrentService.Fly'))).toBe(caller)
  })

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
    expect(api.accept(encrypt, { KeyId: 'k' }, requestId)).toEqual({ status: 200, headers, body: '{"KeyId":"k"}' })
    expect(api.accept(named('EnableKey'), undefined, requestId)).toEqual({ status: 200, headers, body: '' })
  })

  it('carries a failure with its status', () => {
    expect(api.refuse(new Failure('NotFoundException', "Invalid keyId 'x'"), requestId)).toEqual({
      status: 400,
      headers,
      body: `{"__type":"NotFoundException","message":"Invalid keyId 'x'"}`,
    })
    expect(api.refuse(new Failure('DependencyTimeoutException'), requestId).status).toBe(503)
  })

  it('has no message when there is none', () => {
    expect(refusedBody('InvalidCiphertextException')).toBe('{"__type":"InvalidCiphertextException"}')
  })

  it('writes the message of AccessDeniedException with a capital', () => {
    expect(refusedBody('AccessDeniedException', 'No.')).toBe('{"__type":"AccessDeniedException","Message":"No."}')
  })

  it.each<[FailureCode, string]>([
    ['NotFoundException', 'gone'],
    ['AccessDeniedException', 'No.'],
    ['ValidationException', '1 validation error detected: …'],
    ['KMSInternalException', ''],
  ])('is the same error for the SDK: %s', async (code, message) => {
    const answer = call('Encrypt', { KeyId: 'k', Plaintext: Uint8Array.of(1) }, () =>
      api.refuse(new Failure(code, message), requestId),
    )
    await expect(answer).rejects.toMatchObject({
      name: code,
      $metadata: { httpStatusCode: new Failure(code).status, requestId },
      ...(message === '' ? {} : { message }),
    })
  })
})
