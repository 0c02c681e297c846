/** Two gateways: keys of one in an external key store, whose external keys the other serves. */
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import type { XksProxyConfiguration } from '../../src/model/xks/credentials.ts'
import { hasOpenssl, makeCertificate } from '../server/certificates.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'

const plaintext = Buffer.from('a plaintext')

describe.skipIf(!hasOpenssl)('a key of an external key store that another gateway serves', () => {
  let [consumer, server]: Installation[] = []
  let [consuming, serving]: Gateway[] = []
  let kms: KMS
  let storeId: string
  let keyId: string
  let ordinaryKeyId: string
  let externalKey: string
  let blob: Uint8Array

  const administer = <T>(operation: string, input: object): Promise<T> =>
    withAdministration({ data: server!.folder }, call => call<T>(operation, input))

  beforeAll(async () => {
    server = await install()
    const tls = { certificateFile: join(server.folder, 'xks.crt'), keyFile: join(server.folder, 'xks.key') }
    makeCertificate(tls)
    server.configure(config => {
      config.xks = { listen: { port: 0, tls } }
    })
    serving = await serve(server)
    const { xksUrl } = await serving.logged(({ event }) => event === 'gateway_started')
    const { port } = new URL(xksUrl as string)
    // The port stays the same when it is started again.
    server.configure(config => {
      config.xks = { listen: { port: Number(port), tls } }
    })
    const { KeyMetadata } = await serving.client().createKey({ Policy: policy })
    const input = { prefix: 'tenant', region: 'us-east-1' }
    const { configuration } = await administer<{ configuration: XksProxyConfiguration }>('CreateXksPrefix', input)
    externalKey = (await administer<{ id: string }>('CreateXksKey', { prefix: 'tenant', key: KeyMetadata!.KeyId })).id

    consumer = await install()
    consumer.configure(config => {
      const proxies = { localhost: { address: `127.0.0.1:${port}`, caFile: tls.certificateFile } }
      config.customKeyStores = { proxies, proxyTimeout: '5s' }
    })
    consuming = await serve(consumer)
    kms = consuming.client()
    const { CustomKeyStoreId } = await kms.createCustomKeyStore({
      CustomKeyStoreName: 'elsewhere',
      CustomKeyStoreType: 'EXTERNAL_KEY_STORE',
      XksProxyConnectivity: 'PUBLIC_ENDPOINT',
      XksProxyUriEndpoint: 'https://localhost',
      ...configuration,
    })
    storeId = CustomKeyStoreId!
    await kms.connectCustomKeyStore({ CustomKeyStoreId })
    await vi.waitFor(async () => {
      const { CustomKeyStores } = await kms.describeCustomKeyStores({ CustomKeyStoreId })
      expect(CustomKeyStores![0]!.ConnectionState).toBe('CONNECTED')
    }, 20_000)
    const key = await kms.createKey({ CustomKeyStoreId, Origin: 'EXTERNAL_KEY_STORE', XksKeyId: externalKey })
    keyId = key.KeyMetadata!.KeyId!
    ordinaryKeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
  })
  afterAll(async () => {
    await consuming?.stop()
    await serving?.stop()
    consumer?.remove()
    server?.remove()
  })

  const decrypted = async () => Buffer.from((await kms.decrypt({ CiphertextBlob: blob })).Plaintext!)

  it('encrypts by both', async () => {
    blob = (await kms.encrypt({ KeyId: keyId, Plaintext: plaintext })).CiphertextBlob!
    expect(await decrypted()).toEqual(plaintext)
    const served = serving!.records().filter(({ eventSource }) => eventSource === 'xks.strongroom')
    expect(served.map(({ eventName }) => eventName)).toEqual(expect.arrayContaining(['Encrypt', 'Decrypt']))
    const shown = JSON.stringify([...served, ...consuming!.records()])
    expect(shown).not.toContain(plaintext.toString('base64'))
  })

  it('has the records of both gateways joined by the id of the request, also of one that fails', async () => {
    await expect(kms.decrypt({ CiphertextBlob: blob, EncryptionContext: { not: 'this' } })).rejects.toMatchObject({
      name: 'KMSInvalidStateException',
    })
    const here = consuming!.records().filter(({ additionalEventData }) => additionalEventData?.xksKeyId === externalKey)
    expect(here.map(({ eventName, errorCode }) => errorCode ?? eventName)).toEqual([
      'Encrypt',
      'Decrypt',
      'KMSInvalidStateException',
    ])
    for (const { additionalEventData } of here) expect(additionalEventData).toMatchObject({ customKeyStoreId: storeId })
    const there = serving!.records().filter(({ eventSource, eventName = '' }) => {
      return eventSource === 'xks.strongroom' && /^(En|De)crypt$/.test(eventName)
    })
    const asked = there.map(({ requestParameters }) => requestParameters!.requestMetadata as { kmsRequestId: string })
    expect(asked.map(({ kmsRequestId }) => kmsRequestId)).toEqual(here.map(({ requestID }) => requestID))
  })

  it('is out of use while the other gateway is away, and no other key is', async () => {
    await serving!.kill()
    const refused = { name: 'KMSInvalidStateException', message: expect.stringContaining('external key') }
    const uses = Array.from({ length: 20 }, () => expect(decrypted()).rejects.toMatchObject(refused))
    const { CiphertextBlob } = await kms.encrypt({ KeyId: ordinaryKeyId, Plaintext: plaintext })
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(plaintext)
    await Promise.all(uses)
    const { KeyMetadata } = await kms.describeKey({ KeyId: keyId })
    expect(KeyMetadata).toMatchObject({ KeyState: 'Enabled', Enabled: true })
  })

  it('works again once the other gateway is back', async () => {
    serving = await serve(server!)
    await vi.waitFor(async () => expect(await decrypted()).toEqual(plaintext), { timeout: 30_000, interval: 200 })
  })

  it('works with a new credential, and no longer with the former one', async () => {
    const rotated = await administer<{ configuration: XksProxyConfiguration }>('CreateXksCredential', {
      prefix: 'tenant',
    })
    expect(await decrypted()).toEqual(plaintext)
    const { XksProxyAuthenticationCredential } = rotated.configuration
    await kms.updateCustomKeyStore({ CustomKeyStoreId: storeId, XksProxyAuthenticationCredential })
    const { prefixes } = await administer<{
      prefixes: { credentials: { accessKeyId: string }[] }[]
    }>('ListXksPrefixes', {})
    const former = prefixes[0]!.credentials.find(
      ({ accessKeyId }) => accessKeyId !== XksProxyAuthenticationCredential.AccessKeyId,
    )!
    await administer('DeleteXksCredential', { prefix: 'tenant', accessKeyId: former.accessKeyId })
    expect(await decrypted()).toEqual(plaintext)
  })

  it('is out of use while its external key is frozen', async () => {
    await administer('UpdateXksKey', { prefix: 'tenant', id: externalKey, frozen: true })
    await expect(decrypted()).rejects.toMatchObject({ name: 'KMSInvalidStateException' })
    await administer('UpdateXksKey', { prefix: 'tenant', id: externalKey, frozen: false })
    expect(await decrypted()).toEqual(plaintext)
  })
})

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${home}:root` }, Action: 'kms:*', Resource: '*' },
    {
      Effect: 'Allow',
      Principal: { Service: 'xks.strongroom' },
      Action: ['kms:DescribeKey', 'kms:Encrypt', 'kms:Decrypt'],
      Resource: '*',
    },
  ],
})
