import { Buffer } from 'node:buffer'
import * as sdk from '@aws-sdk/client-sts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ApiRequest } from '../../../src/apis/api.ts'
import { rawValue } from '../../../src/apis/query/decode.ts'
import { elementWriter } from '../../../src/apis/query/encode.ts'
import { parseParameters } from '../../../src/apis/query/parameters.ts'
import { type Shape, shapesIn } from '../../../src/apis/service-model/model.ts'
import { inputReader } from '../../../src/apis/service-model/read.ts'
import { sts } from '../../../src/apis/sts/sts.ts'
import { Failure } from '../../../src/errors.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'
import { lowerCase } from '../kms/sdk.ts'

/** The AWS query protocol, as the SDK speaks it to AWS STS, and over a model with every kind of shape. */

const requestId = '0b4cf6a2-0000-4000-8000-000000000000'

const shapes = shapesIn({
  metadata: { apiVersion: '2026-01-01' },
  operations: {},
  shapes: {
    Everything: {
      type: 'structure',
      members: {
        Text: { shape: 'Text' },
        Count: { shape: 'Count' },
        Flag: { shape: 'Flag' },
        At: { shape: 'At' },
        Bytes: { shape: 'Bytes' },
        Pairs: { shape: 'Pairs' },
        Texts: { shape: 'Texts' },
        Inner: { shape: 'Inner' },
        Inners: { shape: 'Inners' },
      },
    },
    Inner: { type: 'structure', members: { Text: { shape: 'Text' }, Texts: { shape: 'Texts' } }, required: ['Text'] },
    Inners: { type: 'list', member: { shape: 'Inner' } },
    Text: { type: 'string', max: 20 },
    Count: { type: 'integer' },
    Flag: { type: 'boolean' },
    At: { type: 'timestamp' },
    Bytes: { type: 'blob' },
    Pairs: { type: 'map', key: { shape: 'Text' }, value: { shape: 'Text' } },
    Texts: { type: 'list', member: { shape: 'Text' } },
  } satisfies Record<string, Shape>,
})
const readEverything = inputReader('Everything', shapes)
const read = (body: string) =>
  readEverything(rawValue(shapes('Everything'), parseParameters('', Buffer.from(body)), '', shapes))
const write = elementWriter('Everything', shapes) as (value: object) => string

function requestOf(body: string, rest: Partial<ApiRequest> = {}): ApiRequest {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return {
    method: 'POST',
    url: '/',
    headers,
    body: async () => Buffer.from(body),
    sourceAddress: '',
    secure: false,
    ...rest,
  }
}

describe('an input', () => {
  it('has members of every kind of shape', () => {
    const body =
      'Text=a+b&Count=-5&Flag=true&At=2026-01-02T03:04:05Z&Bytes=AAE%3D&Pairs.entry.1.key=__proto__&Pairs.entry.1.value=v' +
      '&Texts.member.2=second&Texts.member.1=first&Inner.Text=x&Inner.Texts=&Inners.member.1.Text=y&Unknown=z&Action=A'
    const value = read(body)
    expect(value).toMatchObject({
      Text: 'a b',
      Count: -5,
      Flag: true,
      At: new Date('2026-01-02T03:04:05Z'),
      Bytes: Buffer.from([0, 1]),
      Texts: ['first', 'second'],
      Inner: { Text: 'x', Texts: [] },
      Inners: [{ Text: 'y' }],
    })
    expect(Object.entries(value.Pairs!)).toEqual([['__proto__', 'v']])
    expect(Object.keys(value)).not.toContain('Unknown')
  })

  it.each([
    ['Count=', 'The parameter Count is not an integer.'],
    ['Count=1.0', 'The parameter Count is not an integer.'],
    ['Count=0x10', 'The parameter Count is not an integer.'],
    ['Flag=True', 'The parameter Flag is not true or false.'],
    ['At=1700000000', 'The parameter At is not a timestamp.'],
    ['At=2026-13-02T03:04:05Z', 'The parameter At is not a timestamp.'],
    ['Bytes=%21', ''],
    ['Text.member.1=x', 'The parameter Text is not a single value.'],
    ['Texts=x', 'The parameter Texts is not a list.'],
    ['Texts.1=x', 'The parameter Texts is not a list.'],
    ['Texts.member=x', 'The parameter Texts is not a list.'],
    ['Texts.member.0=x', 'The parameter Texts is not a list.'],
    ['Texts.member.01=x', 'The parameter Texts is not a list.'],
    ['Texts.member.1=x&Texts.other=y', 'The parameter Texts is not a list.'],
    ['Texts.member.1.Text=x', 'The parameter Texts.member.1 is not a single value.'],
    ['Inner=x', 'The parameter Inner is not a structure.'],
    ['Inners.member.1=x', 'The parameter Inners.member.1 is not a structure.'],
    ['Inners.member.1.Texts.member.a=x', 'The parameter Inners.member.1.Texts is not a list.'],
    ['Pairs.entry.1.key=x', 'The parameter Pairs.entry.1 is not an entry with key and value.'],
    [
      'Pairs.entry.1.key=x&Pairs.entry.1.value=1&Pairs.entry.2.key=x&Pairs.entry.2.value=2',
      'The parameter Pairs is not a map: a key is in it twice.',
    ],
  ])('has the form of its shape: %s', (body, message) => {
    expect(() => read(body)).toThrow(expect.objectContaining({ code: 'Serialization', message }))
  })

  it('is validated in the words of AWS', () => {
    expect(() => read(`Text=${'x'.repeat(21)}&Inner.Texts.member.1=y`)).toThrow(
      expect.objectContaining({
        code: 'Validation',
        message: `2 validation errors detected: Value '${'x'.repeat(21)}' at 'text' failed to satisfy constraint: Member must have length less than or equal to 20; Value null at 'inner.text' failed to satisfy constraint: Member must not be null`,
      }),
    )
  })

  it('is refused with a failure of the caller, if it is not accepted, whatever it is', () => {
    const names = fc.constantFrom(
      'Text',
      'Count',
      'Texts',
      'member',
      'Inner',
      'Inners',
      'Pairs',
      'entry',
      'key',
      '1',
      '2',
      '',
    )
    const pair = fc.tuple(fc.array(names, { maxLength: 5 }), fc.string({ maxLength: 5 }))
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), pairs => {
        try {
          read(pairs.map(([path, value]) => `${path.join('.')}=${encodeURIComponent(value)}`).join('&'))
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Failure)
          expect((thrown as Failure).fault).toBe('caller')
        }
      }),
    )
  })
})

describe('an output', () => {
  it('is XML', () => {
    const value = {
      Text: 'a < b & "c" > d\r\u0000\ud800',
      Count: 0,
      Flag: false,
      At: new Date('2026-01-02T03:04:05.000Z'),
      Bytes: Uint8Array.of(0, 1),
      Pairs: { '<k>': 'v' },
      Texts: ['x', ''],
      Inners: [{ Text: 'y' }],
      Unknown: 'z',
    }
    expect(write(value)).toBe(
      '<Text>a &lt; b &amp; "c" &gt; d&#13;\ufffd\ufffd</Text><Count>0</Count><Flag>false</Flag><At>2026-01-02T03:04:05Z</At>' +
        '<Bytes>AAE=</Bytes><Pairs><entry><key>&lt;k&gt;</key><value>v</value></entry></Pairs>' +
        '<Texts><member>x</member><member></member></Texts><Inners><member><Text>y</Text></member></Inners>',
    )
  })

  it('has fractions of a second only if there are any', () => {
    expect(write({ At: new Date('2026-01-02T03:04:05.670Z') })).toBe('<At>2026-01-02T03:04:05.670Z</At>')
  })
})

describe('a request of the SDK', () => {
  /** The input that the gateway reads, and what the SDK reads in an answer. */
  async function exchange(name: string, input: object, output: object) {
    let read: unknown
    const client = new sdk.STSClient({
      region: 'us-east-1',
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'not-a-secret' },
      requestHandler: {
        async handle({ body }: { readonly body: string }) {
          const request = requestOf(body)
          const known = { name } as AnyOperation
          await sts.operation(request).catch(() => undefined)
          read = sts.input(known, Buffer.from(body), request)
          const answer = sts.accept(known, output, requestId, request)
          const sent = { statusCode: answer.status, headers: lowerCase(answer.headers), body: Buffer.from(answer.body) }
          return { response: { reason: '', ...sent } }
        },
      },
    })
    const Command = Reflect.get(sdk, `${name}Command`) as new (input: object) => sdk.AssumeRoleCommand
    const { $metadata, ...answered } = await client.send(new Command(input))
    expect($metadata.requestId).toBe(requestId)
    return { read, answered }
  }

  it('is read as it was meant', async () => {
    const text = fc.stringMatching(/^[\w+=,.@-]{2,20}$/)
    const tag = fc.record({
      Key: fc.stringMatching(/^[\p{L} _.:/=+@-]{1,20}$/u),
      Value: fc.stringMatching(/^[\p{L} ]{0,20}$/u),
    })
    const input = fc.record(
      {
        RoleArn: fc.constant('arn:aws:iam::111122223333:role/x'),
        RoleSessionName: text,
        Policy: fc.stringMatching(/^[\t\n\r -\u00ff]{1,40}$/),
        PolicyArns: fc.array(fc.record({ arn: fc.constant('arn:aws:iam::aws:policy/x') }), { maxLength: 3 }),
        DurationSeconds: fc.integer({ min: 900, max: 43200 }),
        Tags: fc.array(tag, { maxLength: 5 }),
        TransitiveTagKeys: fc.array(fc.stringMatching(/^[\w=.@-]{2,20}$/), { maxLength: 5 }),
      },
      { requiredKeys: ['RoleArn', 'RoleSessionName'] },
    )
    await fc.assert(
      fc.asyncProperty(input, async input => {
        expect((await exchange('AssumeRole', input, {})).read).toEqual(input)
      }),
      { numRuns: 50 },
    )
  })

  it('gets an answer that it can read', async () => {
    const xmlText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(text => text.trim() !== '')
    const output = fc.record({
      Credentials: fc.record({
        AccessKeyId: xmlText,
        SecretAccessKey: xmlText,
        SessionToken: xmlText,
        Expiration: fc.date({ min: new Date(0), max: new Date('2999-01-01'), noInvalidDate: true }),
      }),
      PackedPolicySize: fc.nat(100),
    })
    const input = { RoleArn: 'arn:aws:iam::111122223333:role/x', RoleSessionName: 'xx' }
    await fc.assert(
      fc.asyncProperty(output, async output => {
        expect((await exchange('AssumeRole', input, output)).answered).toEqual(output)
      }),
      { numRuns: 50 },
    )
  })
})

describe('the query API', () => {
  const scope = (service: string) => ({
    authorization: `AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  })
  const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }

  it.each<[string, ApiRequest['headers'], string, boolean]>([
    ['signed for it', { ...form, ...scope('sts') }, '/', true],
    ['signed for it in another protocol', scope('sts'), '/', true],
    ['signed for another service', { ...form, ...scope('iam') }, '/', false],
    ['signed for AWS KMS', { ...form, ...scope('kms') }, '/', false],
    ['of a form without a signature', form, '/', true],
    ['of an Action without a signature', {}, '/?Action=X', true],
    ['of nothing', {}, '/', false],
  ])('claims requests for it: %s', (_, headers, url, claimed) => {
    expect(sts.claims(requestOf('', { headers, url }))).toBe(claimed)
  })

  it.each<[string, Partial<ApiRequest>]>([
    ['another path', { url: '/x' }],
    ['another method', { method: 'PUT' }],
    ['another content type', { headers: { 'content-type': 'application/json' } }],
  ])('knows no operation by %s', async (_, rest) => {
    await expect(sts.operation(requestOf('Action=GetCallerIdentity&Version=2011-06-15', rest))).rejects.toMatchObject({
      code: 'UnknownOperation',
    })
  })

  it('does not read a body that is no form', async () => {
    const headers = { 'content-type': 'text/plain' }
    const url = '/?Action=GetCallerIdentity&Version=2011-06-15'
    const body = () => Promise.reject(new Error('read'))
    expect(await sts.operation(requestOf('', { url, headers, body }))).toMatchObject({ name: 'GetCallerIdentity' })
  })
})
