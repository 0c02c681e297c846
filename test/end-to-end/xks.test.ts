/** The XKS proxy as AWS KMS calls it: XKS Proxy API Specification 1.0.3. */
import { createCipheriv, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import type { XksProxyConfiguration } from '../../src/model/xks/credentials.ts'
import { ciphertextDataIntegrityValue, hsmAad, sampleProxyAad } from '../../src/model/xks/integrity.ts'
import { makeCertificate, makeClientCertificate } from '../server/certificates.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { imported } from './imports.ts'
import { describeConformance } from './xks-conformance.ts'
import { requestMetadata, XksClient } from './xks-requests.ts'

const policy = (statement: object = {}) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${home}:root` }, Action: 'kms:*', Resource: '*' },
      {
        Effect: 'Allow',
        Principal: { Service: 'xks.strongroom' },
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:DescribeKey'],
        Resource: '*',
        ...statement,
      },
    ],
  })

const plaintext = Buffer.from('a plaintext of KMS, which is a ciphertext already')
const commonName = 'cks.kms.us-east-1.amazonaws.com'
const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64')

describe('the XKS proxy', () => {
  let installation: Installation
  let gateway: Gateway
  let kms: KMS
  let url: string
  let client: XksClient
  let key: string
  const clients: XksClient[] = []

  const administer = <T>(operation: string, input: object): Promise<T> =>
    withAdministration({ data: installation.folder }, call => call<T>(operation, input))

  async function prefix(name: string, settings: object = {}): Promise<XksProxyConfiguration> {
    const input = { prefix: name, region: 'us-east-1', ...settings }
    return (await administer<{ configuration: XksProxyConfiguration }>('CreateXksPrefix', input)).configuration
  }

  function connect(configuration: XksProxyConfiguration, tls: object = {}): XksClient {
    const connected = new XksClient(url, configuration, { ca: readFileSync(file('served.crt')), ...tls })
    clients.push(connected)
    return connected
  }

  async function newKey(statement: object = {}): Promise<string> {
    const { KeyMetadata } = await kms.createKey({ Policy: policy(statement) })
    return KeyMetadata!.Arn!
  }

  const file = (name: string) => join(installation.folder, name)
  const pair = (name: string) => ({ certificateFile: file(`${name}.crt`), keyFile: file(`${name}.key`) })

  beforeAll(async () => {
    installation = await install()
    makeCertificate({ certificateFile: file('served.crt'), keyFile: file('served.key') })
    makeClientCertificate(pair('common-ca'), pair('common'), commonName)
    const tls = { certificateFile: 'served.crt', keyFile: 'served.key' }
    installation.configure(config => {
      config.xks = { listen: { host: '127.0.0.1', port: 0, tls, clientCaFile: 'common-ca.crt' } }
    })
    gateway = await serve(installation)
    const { xksUrl } = await gateway.logged(({ event }) => event === 'gateway_started')
    url = (xksUrl as string).replace('127.0.0.1', 'localhost')
    kms = gateway.client()
    client = connect(await prefix('tenant'))
    key = await newKey()
    await administer('CreateXksKey', { prefix: 'tenant', key, id: 'key.one' })
  })
  afterAll(async () => {
    for (const opened of clients) opened.close()
    // Of the test in which the HSM is too slow.
    const others = gateway.complaints().filter(line => !line.includes('did not answer in time'))
    expect(others).toEqual([])
    await gateway.stop()
    installation.remove()
  })

  it('encrypts and decrypts under an external key, with a verified integrity value', async () => {
    const aad = Buffer.from('project=nile,department=marketing')
    const encrypted = await client.encrypt('key.one', plaintext, { additionalAuthenticatedData: base64(aad) })
    expect(encrypted.body).toEqual(expect.objectContaining({ ciphertext: expect.any(String) }))
    const { ciphertext, initializationVector, authenticationTag, ciphertextMetadata, ...rest } = encrypted.body
    expect(encrypted).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } })
    const [bytes, iv, tag, metadata] = [ciphertext, initializationVector, authenticationTag, ciphertextMetadata].map(
      text => Buffer.from(text, 'base64'),
    ) as [Buffer, Buffer, Buffer, Buffer]
    expect([bytes.length, iv.length, tag.length, metadata.length]).toEqual([plaintext.length, 12, 16, 17])
    const integrity = ciphertextDataIntegrityValue({ aad, metadata, iv, ciphertext: bytes, tag })
    expect(rest).toEqual({ ciphertextDataIntegrityValue: integrity })
    const decrypted = await client.decrypt('key.one', encrypted.body, { additionalAuthenticatedData: base64(aad) })
    expect(decrypted).toMatchObject({ status: 200, body: { plaintext: base64(plaintext) } })
  })

  it('tells what the key is, and that it works', async () => {
    expect(await client.metadata('key.one')).toMatchObject({
      status: 200,
      body: { keySpec: 'AES_256', keyUsage: ['ENCRYPT', 'DECRYPT'], keyStatus: 'ENABLED' },
    })
    expect(await client.health()).toMatchObject({
      status: 200,
      body: { xksProxyFleetSize: 1, ekmFleetDetails: [{ id: 'softhsm', healthStatus: 'ACTIVE' }] },
    })
  })

  it.each([
    ['a signature of another body', 401, 'AuthenticationFailedException', { sentBody: '{' }],
    ['no signature, before its input', 401, 'AuthenticationFailedException', { signed: false, sentBody: '{' }],
    ['another service', 401, 'AuthenticationFailedException', { service: 'kms' }],
    ['another Region', 401, 'AuthenticationFailedException', { region: 'eu-central-1' }],
    ['a clock that is late', 401, 'AuthenticationFailedException', { ahead: -301_000 }],
    ['a time that is not signed', 401, 'AuthenticationFailedException', { signedHeaders: ['host'] }],
    ['another method', 405, 'UnsupportedOperationException', { method: 'GET', sentBody: '' }],
    ['another method, unsigned', 405, 'UnsupportedOperationException', { method: 'PUT', signed: false }],
  ])('refuses a request with %s', async (_what, status, errorName, sending) => {
    expect(await client.encrypt('key.one', plaintext, {}, sending)).toMatchObject({ status, body: { errorName } })
  })

  it('refuses unknown paths, prefixes and keys, and credentials of another prefix', async () => {
    const other = connect(await prefix('tenant/other', { region: 'us-east-1' }))
    const stranger = connect({ ...(await prefix('')), XksProxyUriPath: client.uriPath })
    expect(await client.send('/keys/key.one/sign', {})).toMatchObject({ status: 404, body: uriPath })
    expect(await client.send('/health?x=1', {})).toMatchObject({ status: 404, body: uriPath })
    expect(await connect({ ...(await prefix('x')), XksProxyUriPath: '/y/kms/xks/v1' }).health()).toMatchObject({
      status: 404,
      body: uriPath,
    })
    expect(await other.metadata('key.one')).toMatchObject({ status: 404, body: { errorName: 'KeyNotFoundException' } })
    expect(await stranger.metadata('key.one')).toMatchObject({ status: 401 })
  })

  it('takes the longest plaintext and AAD, and refuses longer ones before it uses the key', async () => {
    const [long, aad] = [randomBytes(16_384), base64(randomBytes(65_535))]
    const encrypted = await client.encrypt('key.one', long, { additionalAuthenticatedData: aad })
    const decrypted = await client.decrypt('key.one', encrypted.body, { additionalAuthenticatedData: aad })
    expect(decrypted.body).toEqual({ plaintext: base64(long) })
    const status = async (bytes: number, aadBytes: number) => {
      const rest = { additionalAuthenticatedData: base64(randomBytes(aadBytes)) }
      return (await client.encrypt('key.one', randomBytes(bytes), rest)).status
    }
    expect([await status(16_385, 0), await status(1, 65_536), await status(300_000, 0)]).toEqual([501, 400, 501])
  })

  it('refuses a frozen key or prefix, and a key in another state, from the next request on', async () => {
    const arn = await newKey()
    const states = connect(await prefix('states'))
    await administer('CreateXksKey', { prefix: 'states', key: arn, id: 'k' })
    const { body } = await states.encrypt('k', plaintext)
    const invalidState = { status: 400, body: { errorName: 'InvalidStateException' } }
    for (const [operation, input, isMetadataRefused] of [
      ['UpdateXksKey', { prefix: 'states', id: 'k' }, true],
      ['UpdateXksPrefix', { prefix: 'states' }, true],
    ] as const) {
      await administer(operation, { ...input, frozen: true })
      expect(await states.decrypt('k', body)).toMatchObject(invalidState)
      expect((await states.metadata('k')).status === 400).toBe(isMetadataRefused)
      await administer(operation, { ...input, frozen: false })
      expect((await states.decrypt('k', body)).status).toBe(200)
    }
    await kms.disableKey({ KeyId: arn })
    expect(await states.encrypt('k', plaintext)).toMatchObject(invalidState)
    expect((await states.metadata('k')).body).toMatchObject({ keyStatus: 'DISABLED' })
    await kms.scheduleKeyDeletion({ KeyId: arn, PendingWindowInDays: 7 })
    expect(await states.decrypt('k', body)).toMatchObject(invalidState)
  })

  it('decrypts what earlier key material encrypted, and no other version', async () => {
    const arn = await newKey()
    await administer('CreateXksKey', { prefix: 'tenant', key: arn, id: 'rotated' })
    const before = (await client.encrypt('rotated', plaintext)).body
    await kms.rotateKeyOnDemand({ KeyId: arn })
    const after = (await client.encrypt('rotated', plaintext)).body
    expect(after.ciphertextMetadata).not.toBe(before.ciphertextMetadata)
    for (const each of [before, after])
      expect((await client.decrypt('rotated', each)).body).toEqual({ plaintext: base64(plaintext) })
    for (const ciphertextMetadata of [after.ciphertextMetadata, undefined, 'AA=='])
      expect(await client.decrypt('rotated', { ...before, ciphertextMetadata })).toMatchObject({
        status: 400,
        body: { errorName: 'InvalidCiphertextException' },
      })
  })

  it('decrypts ciphertexts of the sample proxy with an imported key, if the prefix is told to', async () => {
    const { KeyMetadata } = await kms.createKey({ Origin: 'EXTERNAL', Policy: policy() })
    const arn = KeyMetadata!.Arn!
    const material = randomBytes(32)
    await imported({ kms, kmsIn: () => kms } as unknown as Parameters<typeof imported>[0], arn, material)
    const moved = connect(await prefix('moved', { sampleProxyAad: true }))
    await administer('CreateXksKey', { prefix: 'moved', key: arn, id: 'k' })
    const seal = (ivLength: number, aad: Uint8Array) => {
      const iv = randomBytes(ivLength)
      const cipher = createCipheriv('aes-256-gcm', material, iv).setAAD(aad)
      const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
      return {
        ciphertext: base64(ciphertext),
        initializationVector: base64(iv),
        authenticationTag: base64(cipher.getAuthTag()),
      }
    }
    const aad = Buffer.from('its AAD')
    const additionalAuthenticatedData = base64(aad)
    const [sample, own, mine] = [
      { ...seal(12, sampleProxyAad(aad, undefined)), additionalAuthenticatedData },
      { ...seal(16, sampleProxyAad(undefined, Buffer.from('v1'))), ciphertextMetadata: base64('v1') },
      (await moved.encrypt('k', plaintext)).body,
    ]
    for (const each of [sample, own, mine])
      expect((await moved.decrypt('k', each)).body).toEqual({ plaintext: base64(plaintext) })
    const { ciphertextMetadata } = mine
    const metadata = Buffer.from(ciphertextMetadata, 'base64')
    const sixteen = { ...seal(16, hsmAad(undefined, metadata)), ciphertextMetadata }
    expect((await moved.decrypt('k', sixteen)).body).toEqual({ plaintext: base64(plaintext) })
    await administer('UpdateXksPrefix', { prefix: 'moved', sampleProxyAad: false })
    for (const each of [sample, own]) expect((await moved.decrypt('k', each)).status).toBe(400)
    expect((await moved.decrypt('k', mine)).status).toBe(200)
  })

  it('lets the key policy decide by what KMS says of its caller', async () => {
    const { kmsKeyArn } = requestMetadata
    const condition = { StringEquals: { 'xks:Prefix': 'tenant', 'xks:KmsKeyAccount': '123456789012' } }
    const arn = await newKey({ Condition: { ...condition, ArnEquals: { 'xks:KmsKeyArn': kmsKeyArn } } })
    await administer('CreateXksKey', { prefix: 'tenant', key: arn, id: 'limited' })
    expect((await client.encrypt('limited', plaintext)).status).toBe(200)
    const other = { ...requestMetadata, kmsKeyArn: `${kmsKeyArn}0` }
    const refused = await client.encrypt('limited', plaintext, { requestMetadata: other })
    expect(refused).toMatchObject({ status: 403, body: { errorName: 'AccessDeniedException' } })
    expect((await client.metadata('limited')).status).toBe(403)
  })

  it('is pinned to one of the KMS keys that use it at the same time, and to no other', async () => {
    await administer('CreateXksKey', { prefix: 'tenant', key, id: 'pinned', pinFirstUser: true })
    const use = (n: number) => {
      const kmsKeyArn = requestMetadata.kmsKeyArn.replace(/.$/, String(n))
      return client.encrypt('pinned', plaintext, { requestMetadata: { ...requestMetadata, kmsKeyArn } })
    }
    const first = await Promise.all([1, 2, 3, 4].map(use))
    expect(first.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403])
    const winner = first.findIndex(({ status }) => status === 200) + 1
    const again = await Promise.all([1, 2, 3, 4].map(use))
    expect(again.map(({ status }, index) => (status === 200 ? index + 1 : undefined))).toContain(winner)
    expect(again.filter(({ status }) => status === 403)).toHaveLength(3)
  })

  it('takes old and new credentials while they are rotated, and none that was deleted', async () => {
    const first = await prefix('rotating')
    const { configuration } = await administer<{ configuration: XksProxyConfiguration }>('CreateXksCredential', {
      prefix: 'rotating',
    })
    const [old, next] = [connect(first), connect(configuration)]
    expect([(await old.health()).status, (await next.health()).status]).toEqual([200, 200])
    const accessKeyId = first.XksProxyAuthenticationCredential.AccessKeyId
    await administer('DeleteXksCredential', { prefix: 'rotating', accessKeyId })
    expect([(await old.health()).status, (await next.health()).status]).toEqual([401, 200])
    const { prefixes } = await administer<{ prefixes: { prefix: string; credentials: { lastUse?: object }[] }[] }>(
      'ListXksPrefixes',
      {},
    )
    expect(JSON.stringify(prefixes.find(each => each.prefix === 'rotating'))).toContain('127.0.0.1')
  })

  it('answers 429 to a prefix that exceeds its quota', async () => {
    const limited = connect(await prefix('limited', { quota: 3 }))
    const answers = await Promise.all(Array.from({ length: 30 }, () => limited.health()))
    const throttled = answers.filter(({ status }) => status === 429)
    expect(throttled.length).toBeGreaterThan(0)
    expect(throttled[0]!.body.errorName).toBe('ThrottlingException')
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(3)
  })

  it('asks for the client certificate of a prefix, of its own authority or else of one of the listener', async () => {
    makeClientCertificate(pair('ca'), pair('kms'), commonName)
    makeClientCertificate(pair('other-ca'), pair('other'), commonName)
    const pem = (name: string) => readFileSync(name, 'utf8')
    makeClientCertificate(pair('former-ca'), pair('former'), commonName)
    const clientCertificate = { commonName, ca: pem(file('former-ca.crt')) + pem(file('ca.crt')) }
    const configuration = await prefix('mutual', { clientCertificate })
    const tls = (name: string) => ({ cert: pem(file(`${name}.crt`)), key: pem(file(`${name}.key`)) })
    const status = async (certificate: object, of: XksProxyConfiguration) =>
      (await connect(of, certificate).health()).status
    const statuses = (of: XksProxyConfiguration) => {
      const all = [tls('kms'), tls('former'), tls('common'), tls('other'), {}]
      return Promise.all(all.map(certificate => status(certificate, of)))
    }
    expect(await statuses(configuration)).toEqual([200, 200, 401, 401, 401])
    const ofListener = await prefix('mutual-too', { clientCertificate: { commonName } })
    expect(await statuses(ofListener)).toEqual([401, 401, 200, 401, 401])
    const renamed = { ...clientCertificate, commonName: 'cks.kms.eu-central-1.amazonaws.com' }
    await administer('UpdateXksPrefix', { prefix: 'mutual', clientCertificate: renamed })
    expect(await status(tls('kms'), configuration)).toBe(401)
  })

  it('records who asked for what, and neither plaintext nor AAD', async () => {
    await client.encrypt('key.one', plaintext, { additionalAuthenticatedData: base64('recorded AAD') })
    const record = gateway.records().findLast(({ eventSource }) => eventSource === 'xks.strongroom')!
    expect(record).toMatchObject({
      eventName: 'Encrypt',
      awsRegion: 'us-east-1',
      readOnly: true,
      userIdentity: { type: 'AWSService', invokedBy: 'xks.strongroom' },
      resources: [{ ARN: key }],
      requestParameters: { prefix: 'tenant', externalKeyId: 'key.one', requestMetadata },
    })
    expect(Object.keys(record).sort()).toEqual(
      [
        ...['additionalEventData', 'awsRegion', 'eventCategory', 'eventID', 'eventName', 'eventSource', 'eventTime'],
        ...['eventType', 'eventVersion', 'managementEvent', 'readOnly', 'recipientAccountId', 'requestID'],
        ...[
          'requestParameters',
          'resources',
          'responseElements',
          'sourceIPAddress',
          'tlsDetails',
          'userAgent',
          'userIdentity',
        ],
      ].sort(),
    )
    const text = JSON.stringify(record)
    for (const secret of [base64(plaintext), base64('recorded AAD')]) expect(text).not.toContain(secret)
  })

  describeConformance(() => ({ installation, url, administer, prefix, newKey }))

  it('answers 503 when the HSM is too slow, and then as before', async () => {
    const [worker] = gateway.workers() as [number]
    process.kill(worker, 'SIGSTOP')
    const slow = await Promise.all([client.encrypt('key.one', plaintext), client.metadata('key.one')])
    process.kill(worker, 'SIGCONT')
    expect(slow[0]).toMatchObject({ status: 503, body: { errorName: 'DependencyTimeoutException' } })
    expect(slow[1]).toMatchObject({ status: 200 })
    expect((await client.encrypt('key.one', plaintext)).status).toBe(200)
  })
})

const uriPath = { errorName: 'InvalidUriPathException' }
