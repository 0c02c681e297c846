/** What every operation requires of its input, and what it must not require. */

import { accepted, type Check, expectThat, must, refused, Skipped, should, shown } from '../check.ts'
import { decryptBody, encrypt, encryptBody } from '../cryptography.ts'
import type { Answer, KeyOperation, XksProxy } from '../proxy.ts'

const plaintext = Buffer.from('plaintext')
type Body = Readonly<Record<string, unknown>>

/** Correct requests of each operation. */
async function requests(proxy: XksProxy): Promise<readonly (readonly [KeyOperation, Body])[]> {
  return [
    ['metadata', { requestMetadata: proxy.requestMetadata('CreateKey') }],
    ['encrypt', encryptBody(proxy, plaintext)],
    ['decrypt', decryptBody(proxy, await encrypt(proxy, plaintext))],
  ]
}

const send = (proxy: XksProxy, operation: KeyOperation, body: unknown): Promise<Answer> =>
  proxy.call(proxy.keyPath(operation), { body })

/** Sends each request with a change. */
async function each(proxy: XksProxy, change: (body: Body) => unknown, judge: (answer: Answer) => void): Promise<void> {
  for (const [operation, body] of await requests(proxy)) judge(await send(proxy, operation, change(body)))
}

const invalid = (answer: Answer) => refused(answer, 'ValidationException')
/** A policy may decide by what is in requestMetadata. */
function acceptedOrDenied(answer: Answer): void {
  if (answer.status !== 403) accepted(answer)
}

const withMetadata = (members: object) => (body: Body) => ({
  ...body,
  requestMetadata: { ...(body.requestMetadata as object), ...members },
})

/** Bytes that are no UTF-8, in a member that has no meaning. */
function notUtf8(body: Body): Buffer {
  return Buffer.from(JSON.stringify({ ...body, unknown: '\u00ff' }), 'latin1')
}

/** A member twice, with different values. */
function duplicated(body: Body): string {
  const [name, value] = Object.entries(body).find(([, value]) => typeof value === 'string') ?? [
    'requestMetadata',
    body.requestMetadata,
  ]
  const other = typeof value === 'string' ? '"AAAA"' : JSON.stringify(value)
  return `${JSON.stringify(body).slice(0, -1)},${JSON.stringify(name)}:${other}}`
}

const notJson: readonly (readonly [string, (body: Body) => string | Buffer])[] = [
  ['is no JSON', () => 'requestMetadata=1'],
  ['is empty', () => Buffer.alloc(0)],
  ['ends too early', body => JSON.stringify(body).slice(0, -1)],
  ['goes on after its end', body => `${JSON.stringify(body)}}`],
  ['is an array', body => JSON.stringify([body])],
  ['is a text', () => '"requestMetadata"'],
  ['is null', () => 'null'],
]

export const inputChecks: readonly Check[] = [
  ...notJson.map(([name, change]) =>
    must(`answer ValidationException to a body that ${name}`, proxy => each(proxy, change, invalid)),
  ),
  should('survive a body that is nested 5,000 levels deep', proxy =>
    each(
      proxy,
      body => `${JSON.stringify(body).slice(0, -1)},"deep":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      answer => {
        expectThat(answer.status === 400 || answer.status === 200, '400 ValidationException or 200', shown(answer))
      },
    ),
  ),
  should('answer ValidationException to a body that is not UTF-8', proxy => each(proxy, notUtf8, invalid)),
  should('answer ValidationException to a body with a member that occurs twice', proxy =>
    each(proxy, duplicated, invalid),
  ),
  must('answer ValidationException without requestMetadata', proxy =>
    each(proxy, body => ({ ...body, requestMetadata: undefined }), invalid),
  ),
  must('answer ValidationException to a requestMetadata that is no object', async proxy => {
    for (const requestMetadata of ['text', 1, true, []])
      await each(proxy, body => ({ ...body, requestMetadata }), invalid)
  }),
  ...['awsPrincipalArn', 'kmsOperation', 'kmsRequestId'].map(name =>
    must(`answer ValidationException without ${name}`, proxy =>
      each(proxy, withMetadata({ [name]: undefined }), invalid),
    ),
  ),
  must('answer ValidationException to cryptography without kmsKeyArn', async proxy => {
    for (const [operation, body] of (await requests(proxy)).slice(1))
      invalid(await send(proxy, operation, withMetadata({ kmsKeyArn: undefined })(body)))
  }),
  must('answer ValidationException to members of requestMetadata that are no texts', async proxy => {
    for (const name of ['awsPrincipalArn', 'kmsOperation', 'kmsRequestId'])
      for (const value of [1, {}, ['x'], false]) await each(proxy, withMetadata({ [name]: value }), invalid)
  }),
  must('describe a key without kmsKeyArn, as KMS does before it creates one', async proxy => {
    const requestMetadata = { ...proxy.requestMetadata('CreateKey'), kmsKeyArn: undefined, kmsViaService: undefined }
    acceptedOrDenied(await send(proxy, 'metadata', { requestMetadata }))
  }),
  must('ignore members that it does not know', proxy =>
    each(
      proxy,
      body => ({ ...withMetadata({ sourceIdentity: 'Alice', tags: [{ a: null }] })(body), future: { list: [1, 'x'] } }),
      accepted,
    ),
  ),
  must('accept a kmsOperation that it does not know', proxy =>
    each(proxy, withMetadata({ kmsOperation: 'BulkOperationOfTheFuture' }), acceptedOrDenied),
  ),
  must('accept every kmsRequestId', async proxy => {
    for (const kmsRequestId of ['x', '4112F4D6', 'ü {}"\\ \u{1f511}', '9'.repeat(256)])
      await each(proxy, withMetadata({ kmsRequestId }), accepted)
  }),
  must('accept ARNs of 2048 characters', async proxy => {
    const long = (start: string) => start + 'a'.repeat(2048 - start.length)
    const awsPrincipalArn = long('arn:aws:iam::123456789012:user/')
    await each(proxy, withMetadata({ awsPrincipalArn }), acceptedOrDenied)
    const kmsKeyArn = long('arn:aws:kms:us-east-2:123456789012:key/')
    await each(proxy, withMetadata({ awsPrincipalArn, kmsKeyArn }), acceptedOrDenied)
  }),
  must('accept a service principal, or AWS Internal, as awsPrincipalArn', async proxy => {
    for (const awsPrincipalArn of ['ec2.amazonaws.com', 'AWS Internal'])
      await each(proxy, withMetadata({ awsPrincipalArn }), acceptedOrDenied)
  }),
  must('accept the VPC, the VPC endpoint and the service that KMS was called through', proxy =>
    each(
      proxy,
      withMetadata({
        awsSourceVpc: 'vpc-1234',
        awsSourceVpce: 'vpce-1234',
        kmsViaService: 'ebs.us-east-2.amazonaws.com',
      }),
      acceptedOrDenied,
    ),
  ),
  ...(['encrypt', 'decrypt'] as const).map(operation =>
    must(`answer ValidationException to ${operation} whose required members are missing or no texts`, async proxy => {
      const [, body] = (await requests(proxy)).find(([name]) => name === operation)!
      const required = Object.keys(body).filter(name => !['requestMetadata', 'ciphertextMetadata'].includes(name))
      for (const name of required)
        for (const value of [undefined, 1, true, {}, ['QUJD']])
          invalidOrCiphertext(await send(proxy, operation, { ...body, [name]: value }), operation)
    }),
  ),
  must('answer ValidationException to another encryptionAlgorithm', async proxy => {
    for (const [operation, body] of (await requests(proxy)).slice(1))
      for (const encryptionAlgorithm of ['AES_CBC', 'aes_gcm', ''])
        refused(
          await send(proxy, operation, { ...body, encryptionAlgorithm }),
          'ValidationException',
          'UnsupportedOperationException',
        )
  }),
  must('answer ValidationException to another ciphertextDataIntegrityValueAlgorithm', async proxy => {
    for (const ciphertextDataIntegrityValueAlgorithm of ['SHA_1', 'sha_256', 7]) {
      const body = { ...encryptBody(proxy, plaintext), ciphertextDataIntegrityValueAlgorithm }
      refused(await send(proxy, 'encrypt', body), 'ValidationException', 'UnsupportedOperationException')
    }
  }),
  must('answer ValidationException to what is not base64 at all', async proxy => {
    for (const [operation, body] of (await requests(proxy)).slice(1))
      for (const name of binaryMembers(body))
        for (const text of ['*', 'a b!', '\u00e9\u00e9\u00e9\u00e9'])
          invalidOrCiphertext(await send(proxy, operation, { ...body, [name]: text }), operation)
  }),
  should(
    'answer ValidationException to base64 without padding, in the URL alphabet, or with line breaks',
    async proxy => {
      for (const [operation, body] of (await requests(proxy)).slice(1))
        for (const name of binaryMembers(body))
          for (const text of ['QUI', 'QQ', '-_-_', 'QUJD\n', 'QR==', 'QQ==='])
            invalidOrCiphertext(await send(proxy, operation, { ...body, [name]: text }), operation)
    },
  ),
  should('answer an error to health requests without requestMetadata', async proxy => {
    const answer = await proxy.call(proxy.pathOf('health'), { body: {} })
    if (answer.status === 200) throw new Skipped('it answers them; the specification has no error for them')
    refused(answer, 'ValidationException')
  }),
]

function binaryMembers(body: Body): readonly string[] {
  return [
    ...Object.keys(body).filter(name => !['requestMetadata', 'encryptionAlgorithm'].includes(name)),
    'additionalAuthenticatedData',
  ]
}

/** Decrypt has an error of its own for what its ciphertext consists of. */
function invalidOrCiphertext(answer: Answer, operation: KeyOperation): void {
  refused(answer, 'ValidationException', ...(operation === 'decrypt' ? ['InvalidCiphertextException'] : []))
}
