import { Buffer } from 'node:buffer'
import { KMS } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ApiRequest, ApiResponse } from '../../src/apis/api.ts'
import { refusal, type WireError } from '../../src/apis/protocols.ts'
import { fastest, longestTime } from '../timing.ts'
import { awsProtocols } from './aws-protocols.ts'
import { lowerCase } from './kms/sdk.ts'

/** Refusals as the AWS SDK reads them, in each protocol that its clients speak. */

const requestId = '0b4cf6a2-0000-4000-8000-000000000000'
let error: WireError
let answered: ApiResponse

function answer(request: Omit<ApiRequest, 'body' | 'sourceAddress' | 'secure'>): ApiResponse {
  const all = { ...request, body: async () => new Uint8Array(), sourceAddress: '', secure: false }
  answered = refusal(all, error, requestId)
  return answered
}

function wireError(code: string, message = ''): WireError {
  const kind =
    code === 'KMSInternalException'
      ? ({ status: 500, fault: 'server' } as const)
      : ({ status: 400, fault: 'caller' } as const)
  return { code, id: `com.amazonaws.kms#${code}`, message, ...kind }
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly query: Record<string, string>
  readonly headers: Record<string, string>
}

const clientOf = (protocol: (typeof awsProtocols)[keyof typeof awsProtocols]) =>
  new KMS({
    protocol,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'not-a-secret' },
    maxAttempts: 1,
    requestHandler: {
      async handle({ method, path, headers }: Sent) {
        const { status, headers: sent, body } = answer({ method, url: path, headers: lowerCase(headers) })
        return { response: { statusCode: status, reason: '', headers: lowerCase(sent), body: Buffer.from(body) } }
      },
    },
  })

/** What XML cannot hold is replaced; the SDK trims nothing else of it. */
const characters = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter(text => text.trim() !== '')

// REST protocols need HTTP bindings, which the model of AWS KMS lacks: end to end, their requests are built by hand.
const spoken = ['awsJson1_0', 'awsJson1_1', 'awsQuery', 'ec2Query', 'rpcv2Cbor', 'rpcv2Json'] as const

describe.each(spoken)('a refusal in %s', name => {
  const kms = clientOf(awsProtocols[name])

  it.each<[string, string]>([
    ['NotFoundException', "Key 'x' does not exist"],
    ['UnknownOperationException', ''],
    ['AccessDeniedException', 'No.'],
    ['ValidationException', 'a "b" <c> & d\te\nf é \u{1f511}'],
    ['KMSInternalException', ''],
    ['ValidationException', 'x'.repeat(70_000)],
  ])('is read by the SDK: %s', async (code, message) => {
    error = wireError(code, message)
    await expect(kms.listKeys({})).rejects.toMatchObject({
      name: code,
      $metadata: { httpStatusCode: error.status, requestId },
      ...(message !== '' && { message }),
    })
  })

  it('is well formed whatever the message holds', async () => {
    await fc.assert(
      fc.asyncProperty(characters, async message => {
        error = wireError('ValidationException', message)
        await expect(kms.listKeys({})).rejects.toMatchObject({
          name: 'ValidationException',
          message: expect.any(String),
        })
      }),
      { numRuns: 100 },
    )
  })
})

describe('the protocol of a refusal', () => {
  const scope = (service: string) =>
    `AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`
  const form = 'application/x-www-form-urlencoded; charset=utf-8'

  it.each<[string, Partial<ApiRequest>, string, RegExp]>([
    ['of AWS KMS', {}, 'application/x-amz-json-1.1', /^\{"__type":"NotFoundException"/],
    [
      'of nothing that is known',
      { method: 'GET', headers: { accept: '*/*' } },
      'application/x-amz-json-1.1',
      /^\{"__type"/,
    ],
    ['of what is not HTTP', { method: '', url: '', headers: {} }, 'application/x-amz-json-1.1', /^\{"__type"/],
    [
      'of Amazon DynamoDB',
      { headers: { 'x-amz-target': 'DynamoDB_20120810.ListTables', 'content-type': 'application/x-amz-json-1.0' } },
      'application/x-amz-json-1.0',
      /^\{"__type":"com\.amazonaws\.kms#NotFoundException"/,
    ],
    [
      'of AWS JSON with another content type',
      { headers: { 'x-amz-target': 'TrentService.ListKeys', 'content-type': 'application/json' } },
      'application/x-amz-json-1.1',
      /^\{"__type":"NotFoundException"/,
    ],
    ['of AWS STS', { headers: { 'content-type': form } }, 'text/xml', /^<ErrorResponse><Error><Type>Sender<\/Type>/],
    ['of AWS STS with GET', { method: 'GET', url: '/?Action=GetCallerIdentity' }, 'text/xml', /^<ErrorResponse>/],
    [
      'of Amazon EC2',
      { headers: { 'content-type': form, authorization: scope('ec2') } },
      'text/xml',
      /^<\?xml[^>]*>\n<Response><Errors><Error>.*<\/Error><\/Errors><RequestID>/,
    ],
    [
      'of Amazon S3',
      { method: 'GET', url: '/bucket/key', headers: { authorization: scope('s3') } },
      'application/xml',
      /^<\?xml[^>]*>\n<Error><Code>NotFoundException<\/Code>/,
    ],
    [
      'of a pre-signed URL of Amazon S3',
      { method: 'GET', url: '/bucket/key?X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request' },
      'application/xml',
      /^<\?xml[^>]*>\n<Error>/,
    ],
    [
      'of Amazon Route 53',
      { method: 'GET', url: '/2013-04-01/hostedzone', headers: { authorization: scope('route53') } },
      'text/xml',
      /^<ErrorResponse>/,
    ],
    [
      'of Smithy RPC v2 CBOR',
      { url: '/service/TrentService/operation/Encrypt', headers: { 'smithy-protocol': 'rpc-v2-cbor' } },
      'application/cbor',
      /__type/,
    ],
    [
      'of Amazon Kinesis',
      { headers: { 'x-amz-target': 'Kinesis_20131202.PutRecord', 'content-type': 'application/x-amz-cbor-1.1' } },
      'application/x-amz-cbor-1.1',
      /__type/,
    ],
    [
      'of AWS Lambda',
      { url: '/2015-03-31/functions/f/invocations', headers: { authorization: scope('lambda') } },
      'application/json',
      /^\{"__type":"NotFoundException"/,
    ],
    [
      'of two content types',
      { headers: { 'content-type': [form, 'application/cbor'] } },
      'application/x-amz-json-1.1',
      /^\{/,
    ],
  ])('is that of its request: %s', (_, request, contentType, body) => {
    error = wireError('NotFoundException', 'gone')
    const { status, headers, body: written } = answer({ method: 'POST', url: '/', headers: {}, ...request })
    expect([status, headers['Content-Type'], headers['x-amzn-RequestId']]).toEqual([400, contentType, requestId])
    expect(Buffer.from(written).toString('latin1')).toMatch(body)
  })

  it('is determined in time, whatever the headers', () => {
    error = wireError('NotFoundException')
    const longest = longestTime()
    for (const part of ['Credential=', 'Credential=/', 'Credential=a/b/', '%2F', '?Action', 'a/../', ' '])
      for (const name of ['authorization', 'content-type', 'x-amz-target', 'smithy-protocol']) {
        const text = part.repeat(65_536 / part.length)
        const request = { method: 'POST', url: `/${text}`, headers: { [name]: text } }
        expect(fastest(3, () => answer(request))).toBeLessThan(longest)
      }
  })

  it('may have headers of its own', () => {
    error = wireError('NotFoundException')
    const headersOf = (request: Partial<ApiRequest>) =>
      answer({ method: 'POST', url: '/', headers: {}, ...request }).headers
    expect(headersOf({ headers: { 'content-type': 'application/cbor' } })['smithy-protocol']).toBe('rpc-v2-cbor')
    expect(headersOf({ headers: { authorization: scope('s3') } })['x-amz-request-id']).toBe(requestId)
    expect(headersOf({ url: '/a' })['x-amzn-ErrorType']).toBe('NotFoundException')
    expect(headersOf({ url: '//' })['x-amzn-ErrorType']).toBeUndefined()
  })
})
