/** Signature Version 4: "Authentication" and appendix A of the specification. */
import { accepted, type Check, expectThat, must, refused, should, shown } from '../check.ts'
import type { Call, XksProxy } from '../proxy.ts'
import { amzDate } from '../signature.ts'

function body(proxy: XksProxy) {
  return { requestMetadata: proxy.requestMetadata('CreateKey') }
}

async function expectRefused(proxy: XksProxy, call: Call): Promise<void> {
  for (const path of [proxy.pathOf('health'), proxy.keyPath('metadata')])
    refused(await proxy.call(path, { body: body(proxy), ...call }), 'AuthenticationFailedException')
}

const minute = 60
const altered = (text: string) => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0')

/** Each with what differs from a correct request. */
const wrong: readonly (readonly [string, (proxy: XksProxy) => Call])[] = [
  ['without a signature', () => ({ headers: { authorization: undefined } })],
  ['with another secret', ({ options }) => ({ signing: { secretAccessKey: altered(options.secretAccessKey) } })],
  ['with an unknown access key ID', () => ({ signing: { accessKeyId: 'AAAAAAAAAAAAAAAAAAAAAAAA' } })],
  ['for another region', ({ options }) => ({ signing: { region: altered(options.region) } })],
  ['for another service', () => ({ signing: { service: 'kms' } })],
  ['with another end of the scope', () => ({ signing: { terminator: 'aws5_request' } })],
  ['by another algorithm', () => ({ signing: { algorithm: 'AWS4-HMAC-SHA512' } })],
  ['whose scope has another day than X-Amz-Date', () => ({ signing: { scopeDate: amzDate(-24 * 3600).slice(0, 8) } })],
  ['without Host among the signed headers', () => ({ signing: { signedHeaders: ['x-amz-date'] } })],
  ['without X-Amz-Date among the signed headers', () => ({ signing: { signedHeaders: ['host'] } })],
  ['without X-Amz-Date', () => ({ headers: { 'x-amz-date': undefined } })],
  ['with another X-Amz-Date than the signed one', () => ({ headers: { 'x-amz-date': amzDate(-1) } })],
  ['with another Host than the signed one', () => ({ headers: { host: 'kms.example.com' } })],
  ['that is cut off', () => ({ headers: { authorization: 'AWS4-HMAC-SHA256 Credential=' } })],
  ['in another scheme', () => ({ headers: { authorization: 'Basic QWxpY2U6c2VjcmV0' } })],
  [
    'that leaves the body out',
    () => ({
      signing: { payloadHash: 'UNSIGNED-PAYLOAD' },
      signedHeaders: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    }),
  ],
]

export const authenticationChecks: readonly Check[] = [
  ...wrong.map(([name, call]) =>
    must(`answer AuthenticationFailedException to a request ${name}`, proxy => expectRefused(proxy, call(proxy))),
  ),
  must('answer AuthenticationFailedException to a body other than the signed one', async proxy => {
    const path = proxy.keyPath('metadata')
    const sent = proxy.signed(path, { body: body(proxy) })
    const other = Buffer.from(sent.body)
    other[other.length - 2]! ^= 1
    refused(await proxy.send({ ...sent, body: other }), 'AuthenticationFailedException')
  }),
  must('answer AuthenticationFailedException to another path than the signed one', async proxy => {
    const sent = proxy.signed(proxy.pathOf('health'), { body: body(proxy) })
    refused(await proxy.send({ ...sent, path: proxy.keyPath('metadata') }), 'AuthenticationFailedException')
  }),
  should('refuse a query that was not signed', async proxy => {
    const sent = proxy.signed(proxy.pathOf('health'), { body: body(proxy) })
    const answer = await proxy.send({ ...sent, path: `${sent.path}?x=y` })
    refused(answer, 'AuthenticationFailedException', 'InvalidUriPathException')
  }),
  must('answer AuthenticationFailedException before it looks at the input', async proxy => {
    for (const operation of ['metadata', 'encrypt', 'decrypt'] as const)
      for (const text of ['{', '', '[]', '{"plaintext":1}'])
        refused(
          await proxy.call(proxy.keyPath(operation), { body: text, headers: { authorization: undefined } }),
          'AuthenticationFailedException',
        )
  }),
  should('not tell whether a key exists to who is not authenticated', async proxy => {
    const call = { body: body(proxy), headers: { authorization: undefined } }
    refused(await proxy.call(proxy.keyPath('metadata', 'no-such-key'), call), 'AuthenticationFailedException')
  }),
  must('accept a request that is 4 minutes old, or 4 minutes in the future', async proxy => {
    for (const offset of [-4 * minute, 4 * minute])
      accepted(await proxy.call(proxy.pathOf('health'), { body: body(proxy), signing: { time: amzDate(offset) } }))
  }),
  should('answer AuthenticationFailedException to a request that is 6 minutes old, such as a replay', proxy =>
    expectRefused(proxy, { signing: { time: amzDate(-6 * minute) } }),
  ),
  should('answer AuthenticationFailedException to a request 6 minutes in the future', proxy =>
    expectRefused(proxy, { signing: { time: amzDate(6 * minute) } }),
  ),
  should('answer AuthenticationFailedException to a time that is none', async proxy => {
    for (const time of ['20260229T120000Z', '20261301T000000Z', '99999999T999999Z', 'yesterday'])
      await expectRefused(proxy, { signing: { time } })
  }),
  must('accept signed headers besides Host and X-Amz-Date', async proxy => {
    const call = { body: body(proxy), signedHeaders: { 'x-extra': 'a value', 'x-amz-meta': '1' } }
    accepted(await proxy.call(proxy.pathOf('health'), call))
  }),
  should('answer AuthenticationFailedException to a signature over a header that is not sent', proxy =>
    expectRefused(proxy, { signing: { signedHeaders: ['host', 'x-amz-date', 'x-missing'] } }),
  ),
  must('accept headers that are not signed', async proxy => {
    const headers = { 'user-agent': 'kms', 'x-forwarded-for': '192.0.2.1' }
    accepted(await proxy.call(proxy.pathOf('health'), { body: body(proxy), headers }))
  }),
  should('have a clock that is right within a minute', async proxy => {
    const { headers } = await proxy.call(proxy.pathOf('health'), { body: body(proxy) })
    const offset = Date.parse(String(headers.date)) - Date.now()
    // Without the header nothing is known.
    expectThat(!(Math.abs(offset) > 60_000), 'a Date within 60 s of the clock here', `${Math.round(offset / 1000)} s`)
  }),
  should('answer every repetition of a request alike, as KMS may send it again', async proxy => {
    const sent = proxy.signed(proxy.pathOf('health'), { body: body(proxy) })
    const answers = [await proxy.send(sent), await proxy.send(sent)]
    for (const answer of answers) expectThat(answer.status === 200, '200', shown(answer))
  }),
]
