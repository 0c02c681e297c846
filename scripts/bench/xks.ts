import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ConnectCustomKeyStoreCommand,
  CreateCustomKeyStoreCommand,
  CreateKeyCommand,
  DescribeCustomKeyStoresCommand,
} from '@aws-sdk/client-kms'
import { withAdministration } from '../../src/cli/administration.ts'
import { signingService, type XksProxyConfiguration } from '../../src/model/xks/credentials.ts'
import { keyPath } from '../../src/model/xks/uris.ts'
import { makeCertificate } from '../../test/server/certificates.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { type BenchGateway, DataFolder, freePort, region } from './gateway.ts'
import { load, writeSignedFor } from './load.ts'

/**
 * XKS encrypt, end to end over TLS, against Encrypt of the KMS API of the same gateway; with 1,000 external keys against one; and Encrypt of
 * another gateway with a key of an external key store, whose external key the first one serves, against XKS encrypt. In turns.
 */
export async function encryptForXks(): Promise<Figure[]> {
  const one = await XksServer.start(1)
  const many = await XksServer.start(1000)
  const consumer = await startConsumer(one)
  const measured = {
    kms: { url: one.gateway.url, script: await encryptScript(one.folder, one.gateway), rates: [] as number[] },
    xks: { url: one.url, script: await one.script('xks'), rates: [] as number[] },
    xksOfMany: { url: many.url, script: await many.script('xks'), rates: [] as number[] },
    consumed: { url: consumer.gateway.url, script: consumer.script, rates: [] as number[] },
  }
  // Cold, it refuses what it could not answer in time.
  for (const { url, script } of Object.values(measured)) await load(url, script, 10, 64, { mayRefuse: true })
  for (let round = 0; round < 7; round++) {
    for (const { url, script, rates } of Object.values(measured))
      rates.push((await load(url, script, 3)).requestsPerSecond)
  }
  for (const { gateway, folder } of [one, many, consumer]) {
    await gateway.stop()
    folder.remove()
  }
  const { kms, xks, xksOfMany, consumed } = measured
  return [
    ratio('XKS encrypt / Encrypt, both over TLS', xks.rates, kms.rates, 0.9),
    ratio('XKS encrypt with 1,000 external keys / with one', xksOfMany.rates, xks.rates, 0.9),
    ratio('Encrypt with an external key / XKS encrypt', consumed.rates, xks.rates, 0.5),
  ]
}

function ratio(name: string, rates: readonly number[], others: readonly number[], atLeast: number): Figure {
  const [rate, other] = [median(rates), median(others)]
  const details = `${Math.round(rate)}/s against ${Math.round(other)}/s`
  return { name, value: rate / other, unit: '', reach: { atLeast }, details }
}

const prefix = 'bench'

/** A gateway that serves XKS. */
class XksServer {
  readonly folder = new DataFolder()
  readonly certificate = join(this.folder.path, 'tls.crt')
  url!: string
  gateway!: BenchGateway
  configuration!: XksProxyConfiguration
  /** External key ids. */
  readonly keys: string[] = []

  static async start(keys: number): Promise<XksServer> {
    const proxy = new XksServer()
    const { folder, certificate: certificateFile } = proxy
    const tls = { certificateFile, keyFile: join(folder.path, 'tls.key') }
    makeCertificate(tls)
    const port = await freePort()
    folder.configure(config => {
      Object.assign(config, { listen: { tls }, xks: { listen: { port, tls } } })
    })
    proxy.url = `https://localhost:${port}`
    proxy.gateway = await folder.serve({}, readFileSync(certificateFile, 'utf8'))
    await withAdministration({ data: folder.path }, async call => {
      const created = await call<{ configuration: XksProxyConfiguration }>('CreateXksPrefix', { prefix, region })
      proxy.configuration = created.configuration
      for (let i = 0; i < keys; i++) {
        const { KeyMetadata } = await proxy.gateway.client.send(new CreateKeyCommand({ Policy: policy }))
        const added = await call<{ id: string }>('CreateXksKey', { prefix, key: KeyMetadata!.KeyId })
        proxy.keys.push(added.id)
      }
    })
    return proxy
  }

  /** Signed requests, one for each external key, or 200 for the only one. */
  async script(name: string): Promise<string> {
    const file = join(this.folder.path, `${name}.lua`)
    const { XksProxyUriPath: uriPath, XksProxyAuthenticationCredential: credential } = this.configuration
    const { AccessKeyId: accessKeyId, RawSecretAccessKey: secretAccessKey } = credential
    const credentials = { accessKeyId, secretAccessKey }
    const requests = Array.from({ length: Math.max(200, this.keys.length) }, (_, i) => ({
      path: keyPath(uriPath, this.keys[i % this.keys.length]!, 'encrypt'),
      body: { requestMetadata, ...encryption, plaintext: Buffer.alloc(32, i).toString('base64') },
    }))
    const headers = { 'content-type': 'application/json' }
    await writeSignedFor({ service: signingService, headers, credentials }, file, this.url, requests)
    return file
  }
}

const requestMetadata = {
  awsPrincipalArn: 'arn:aws:iam::111122223333:user/bench',
  kmsKeyArn: `arn:aws:kms:${region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab`,
  kmsOperation: 'Encrypt',
  kmsRequestId: '4112f4d6-db54-4af4-ae30-c55a22a8dfae',
}

const encryption = {
  encryptionAlgorithm: 'AES_GCM',
  additionalAuthenticatedData: Buffer.alloc(32, 'aad').toString('base64'),
  ciphertextDataIntegrityValueAlgorithm: 'SHA_256',
}

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::000000000000:root' }, Action: 'kms:*', Resource: '*' },
    {
      Effect: 'Allow',
      Principal: { Service: 'xks.strongroom' },
      Action: ['kms:DescribeKey', 'kms:Encrypt', 'kms:Decrypt'],
      Resource: '*',
    },
  ],
})

/** A gateway with a key in an external key store, with the first external key of the proxy. */
async function startConsumer({ url, certificate, configuration, keys }: XksServer) {
  const folder = new DataFolder()
  const { port } = new URL(url)
  const proxies = { localhost: { address: `127.0.0.1:${port}`, caFile: certificate } }
  folder.configure(config => Object.assign(config, { customKeyStores: { proxies } }))
  const gateway = await folder.serve()
  const { client } = gateway
  const create = new CreateCustomKeyStoreCommand({
    CustomKeyStoreName: 'bench',
    CustomKeyStoreType: 'EXTERNAL_KEY_STORE',
    XksProxyConnectivity: 'PUBLIC_ENDPOINT',
    XksProxyUriEndpoint: 'https://localhost',
    ...configuration,
  })
  const { CustomKeyStoreId } = await client.send(create)
  await client.send(new ConnectCustomKeyStoreCommand({ CustomKeyStoreId }))
  const isConnected = async () => {
    const { CustomKeyStores } = await client.send(new DescribeCustomKeyStoresCommand({ CustomKeyStoreId }))
    return CustomKeyStores![0]!.ConnectionState === 'CONNECTED'
  }
  while (!(await isConnected())) await delay(50)
  const key = { CustomKeyStoreId, Origin: 'EXTERNAL_KEY_STORE', XksKeyId: keys[0]! } as const
  return { folder, gateway, script: await encryptScript(folder, gateway, 'consumed', folder.credentials, key) }
}
