import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bundle, chromium, reportOf } from './browser/chromium.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'

/** The AWS SDK for JavaScript in a page of another origin, in a real browser. */

const missing = chromium ? '' : ' (skipped: there is no chromium; where .ci/run runs as root, it installs that)'

describe.skipIf(!chromium)(`a page in Chromium${missing}`, () => {
  let installation: Installation
  let gateway: Gateway | undefined
  let script: string

  beforeAll(async () => {
    ;[installation, script] = await Promise.all([install(), bundle()])
  })
  afterEach(() => gateway?.stop())
  afterAll(() => installation?.remove())

  const report = ({ url }: Gateway) =>
    reportOf(script, { endpoint: url, region: 'us-east-1', credentials: installation.credentials[home]! })

  it('creates a key, encrypts and decrypts, and reads the errors', async () => {
    gateway = await serve(installation)
    const { keyId, plaintext, error, origin, failed } = await report(gateway)
    expect({ failed, plaintext }).toEqual({ plaintext: 'text' })
    expect(error).toMatchObject({ name: 'NotFoundException', message: expect.stringContaining('alias/none') })
    const records = gateway.records()
    expect(records.find(({ requestID }) => requestID === error!.requestId)).toMatchObject({ eventName: 'DescribeKey' })
    expect(records.find(({ eventName }) => eventName === 'Decrypt')).toMatchObject({
      requestParameters: { encryptionContext: { page: origin } },
      resources: [{ ARN: expect.stringContaining(keyId!) }],
      userAgent: expect.stringContaining('HeadlessChrome'),
    })
    expect(records.map(({ errorCode }) => errorCode)).not.toContain('MissingAuthenticationTokenException')
  }, 120_000)

  it('is blocked by the browser without CORS', async () => {
    installation.configure(({ listen }) => Object.assign(listen, { cors: false }))
    gateway = await serve(installation)
    const before = gateway.records().length
    const { failed } = await report(gateway)
    expect(failed).toMatch(/Failed to fetch/)
    const records = gateway.records().slice(before)
    expect(records.map(({ eventName, errorCode }) => [eventName, errorCode])).toEqual([
      [undefined, 'MissingAuthenticationTokenException'],
    ])
  }, 120_000)
})
