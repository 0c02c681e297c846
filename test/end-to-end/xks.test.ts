/** The XKS proxy as AWS KMS calls it: XKS Proxy API Specification 1.0.3. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import type { XksProxyConfiguration } from '../../src/model/xks/credentials.ts'
import { ciphertextDataIntegrityValue } from '../../src/model/xks/integrity.ts'
import { makeCertificate } from '../server/certificates.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { XksClient } from './xks-requests.ts'

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

  beforeAll(async () => {
    installation = await install()
    makeCertificate({ certificateFile: file('served.crt'), keyFile: file('served.key') })
    const tls = { certificateFile: 'served.crt', keyFile: 'served.key' }
    installation.configure(config => {
      config.xks = { listen: { host: '127.0.0.1', port: 0, tls } }
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
    expect(gateway.complaints()).toEqual([])
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
})
