import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeCiphertext, encodeExternal, encodeHeader } from '../../src/model/keys/ciphertext.ts'
import { currentMaterial, type Key } from '../../src/model/keys/key.ts'
import { recordedMaterial } from '../../src/model/keys/recorded-material.ts'
import { decryptBlob, decryptWith, encryptBlob, encryptWith, type VaultOfCall } from '../../src/vault/ciphertexts.ts'
import { createDataKey } from '../../src/vault/data-keys.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'
import { hasOpenssl } from '../server/certificates.ts'
import { type Client, call, clientOf, rejection } from '../xks-proxies/fixture.ts'
import { startTestProxy, type TestProxy } from '../xks-proxies/test-proxy.ts'

const plaintext = Buffer.from('attack at dawn')
const context = { purpose: 'test' }

describe.skipIf(!hasOpenssl)('a key in an external key store', () => {
  let fixture: Fixture
  let proxy: TestProxy
  let client: Client
  let vault: VaultOfCall
  let key: Key

  beforeAll(async () => {
    ;[fixture, proxy] = await Promise.all([openFixture(), startTestProxy()])
    client = clientOf(proxy)
    vault = { storage: fixture.services.storage, hsms: fixture.hsms, externalKeys: client.proxies.for(call) }
    const material = await createMaterial(fixture.hsm, client.key, client.key.arn, 0)
    key = { ...client.key, materials: [material] }
  })
  afterAll(async () => {
    await client?.proxies.close()
    await proxy?.close()
    await fixture?.close()
  })

  const encrypt = () => encryptWith(vault, key, 'SYMMETRIC_DEFAULT', plaintext, context)
  const decrypt = (blob: Uint8Array, given: Record<string, string> = context, by = key) =>
    decryptWith(vault, { key: by, material: currentMaterial(by), algorithm: 'SYMMETRIC_DEFAULT' }, blob, given)

  it('encrypts with its material, then with the external key, which learns neither plaintext nor context', async () => {
    const blob = await encrypt()
    expect(decodeCiphertext(blob)).toMatchObject({ format: 2, material: currentMaterial(key).id })
    expect(await decrypt(blob)).toEqual(plaintext)
    const [encryption, decryption] = proxy.requests.map(({ body }) => body)
    const sent = Buffer.from(encryption.plaintext, 'base64')
    expect(sent).toHaveLength(12 + plaintext.length + 16)
    expect(JSON.stringify(proxy.requests)).not.toContain(plaintext.toString('base64').slice(0, 16))
    expect(Buffer.from(encryption.additionalAuthenticatedData, 'base64')).toHaveLength(32)
    expect(decryption.additionalAuthenticatedData).toBe(encryption.additionalAuthenticatedData)
    expect(encryption.requestMetadata.kmsKeyArn).toBe(key.arn)
  })

  it('encrypts data keys so, too, and up to 4096 bytes within the limits of the API', async () => {
    const dataKey = await createDataKey(vault, key, { KeySpec: 'AES_256', EncryptionContext: context })
    const given = Buffer.from(dataKey.plaintext)
    expect(await decrypt(dataKey.blob)).toEqual(given)
    const longest = Buffer.alloc(4096, 1)
    const blob = await encryptWith(vault, key, 'SYMMETRIC_DEFAULT', longest, context)
    expect(blob.length).toBeLessThanOrEqual(6144)
    expect(await decrypt(blob)).toEqual(longest)
  })

  it('counts its encryptions as any other does', async () => {
    const made = () => vault.storage.encryptions.made(currentMaterial(key).id)
    const before = made()
    await encrypt()
    expect(made()).toBe(before + 1)
  })

  it('decrypts nothing that was altered, nor with another context', async () => {
    const blob = await encrypt()
    const state = { code: 'InvalidState', message: expect.stringContaining('corrupted, missing, or otherwise invalid') }
    expect(await rejection(decrypt(blob, { purpose: 'other' }))).toMatchObject(state)
    for (const at of [38, 40, 45, 60, 75, blob.length - 1]) {
      const altered = Buffer.from(blob)
      altered[at]! ^= 1
      expect(await rejection(decrypt(altered)), `byte ${at}`).toMatchObject({
        code: expect.stringMatching(/^Invalid(State|Ciphertext)$/),
      })
    }
  })

  it('decrypts nothing that lacks one of its two encryptions', async () => {
    const inner = await encryptBlob(vault, currentMaterial(key), plaintext, context)
    expect(await rejection(decrypt(inner))).toMatchObject({ code: 'InvalidCiphertext' })
    const ordinary = { ...key, customKeyStoreId: undefined, xksKeyId: undefined }
    const double = await encrypt()
    expect(await rejection(decrypt(double, context, ordinary))).toMatchObject({ code: 'InvalidCiphertext' })
    expect(await rejection(decryptBlob(vault.hsms, currentMaterial(key), double, context))).toMatchObject({
      code: 'InvalidCiphertext',
    })
    const header = encodeHeader(currentMaterial(key).id, 12, 2)
    const outer = encodeExternal(header, await client.encrypt(Buffer.alloc(60)))
    expect(await rejection(decrypt(outer))).toMatchObject({ code: 'InvalidState' })
  })

  it('decrypts nothing when the proxy lies', async () => {
    const blob = await encrypt()
    proxy.change = ({ status, body }) => ({
      status,
      body: {
        plaintext: Buffer.from(Buffer.from(body.plaintext, 'base64').map(byte => byte ^ 1)).toString('base64'),
      },
    })
    expect(await rejection(decrypt(blob))).toMatchObject({
      code: 'InvalidState',
      message: expect.stringContaining('that the external key store proxy submitted for decryption'),
    })
    proxy.change = answer => answer
  })

  it('has its store and external key on record', () => {
    expect(recordedMaterial(key, currentMaterial(key))?.ids).toEqual({
      customKeyStoreId: client.store.id,
      xksKeyId: 'key-1',
      keyMaterialId: currentMaterial(key).id,
    })
  })
})
