import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CreateKeyCommandInput, KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { forever, plainly } from './imports.ts'
import {
  clusterId,
  connected,
  disconnected,
  installStoreToken,
  type StoreToken,
  settled,
  spareId,
} from './key-stores.ts'
import { refusal } from './requests.ts'

const unreachable = 'KMSInvalidStateException: KMS cannot communicate with your CloudHSM cluster.'
let installation: Installation
let token: StoreToken
let gateway: Gateway
let kms: KMS
let CustomKeyStoreId: string
let KeyId: string

beforeAll(async () => {
  installation = await install()
  token = await installStoreToken(installation, { connectTimeout: '5s' })
  gateway = await serve(installation)
  kms = gateway.client()
  CustomKeyStoreId = (await kms.createCustomKeyStore(token.settings)).CustomKeyStoreId!
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
  token?.softHsm.remove()
})

async function restart(stop = () => gateway.stop() as Promise<unknown>, settings?: object): Promise<void> {
  await stop()
  if (settings) installation.configure(config => void Object.assign(config.customKeyStores as object, settings))
  gateway = await serve(installation)
  kms = gateway.client()
}

const store = async () => (await kms.describeCustomKeyStores({ CustomKeyStoreId })).CustomKeyStores![0]!
const createKey = (rest: Partial<CreateKeyCommandInput> = {}) =>
  kms.createKey({ Origin: 'AWS_CLOUDHSM', CustomKeyStoreId, ...rest })
const stateOf = async (key = KeyId) => (await kms.describeKey({ KeyId: key })).KeyMetadata!.KeyState
const Plaintext = Buffer.from('plaintext')
const encrypt = () => kms.encrypt({ KeyId, Plaintext })

/** Resolves once a call to the HSM of the store succeeds: it was away, or is being connected. */
async function healed(): Promise<void> {
  for (;;) {
    const outcome = await refusal(encrypt())
    if (outcome === 'no refusal') return
    expect(outcome).toBe(unreachable)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

describe('a custom key store of type AWS_CLOUDHSM', () => {
  it('is described as it was created, without its password', async () => {
    const { CustomKeyStoreName, TrustAnchorCertificate } = token.settings
    expect(CustomKeyStoreId).toMatch(/^cks-[0-9a-f]{17}$/)
    expect(await store()).toEqual({
      CustomKeyStoreId,
      CustomKeyStoreName,
      CustomKeyStoreType: 'AWS_CLOUDHSM',
      ConnectionState: 'DISCONNECTED',
      CloudHsmClusterId: clusterId,
      TrustAnchorCertificate,
      CreationDate: expect.any(Date),
    })
    const { CustomKeyStores } = await kms.describeCustomKeyStores({ CustomKeyStoreName })
    expect(CustomKeyStores).toEqual([await store()])
  })

  const settings = (rest: object) => ({ ...token.settings, CustomKeyStoreName: 'other', ...rest })

  it.each<[string, () => object]>([
    ['CustomKeyStoreNameInUseException', () => settings({ CustomKeyStoreName: 'store' })],
    ['CloudHsmClusterNotFoundException', () => settings({ CloudHsmClusterId: 'cluster-66666666666' })],
    ['CloudHsmClusterInUseException', () => settings({ CloudHsmClusterId: clusterId })],
    ['IncorrectTrustAnchorException', () => settings({ CloudHsmClusterId: spareId, TrustAnchorCertificate: 'PEM' })],
    ['ValidationException', () => settings({ KeyStorePassword: 'short' })],
    ['ValidationException', () => settings({ KeyStorePassword: undefined })],
    ['ValidationException', () => settings({ TrustAnchorCertificate: undefined })],
    ['ValidationException', () => settings({ XksProxyUriPath: '/kms/xks/v1' })],
    ['ValidationException', () => ({ CustomKeyStoreName: 'other', CustomKeyStoreType: 'EXTERNAL_KEY_STORE' })],
  ])('is refused with %s', async (code, input) => {
    const outcome = await refusal(kms.createCustomKeyStore(input() as never))
    expect(outcome).toMatch(new RegExp(`^${code}: `))
    expect(outcome).not.toContain('short')
  })

  it('answers no key, no update and no deletion that its state does not allow', async () => {
    const invalid = /^CustomKeyStoreInvalidStateException: Custom key store cks-\w+ is DISCONNECTED/
    expect(await refusal(createKey())).toMatch(invalid)
    expect(await refusal(kms.generateRandom({ NumberOfBytes: 1, CustomKeyStoreId }))).toMatch(invalid)
    expect(await refusal(kms.disconnectCustomKeyStore({ CustomKeyStoreId }))).toMatch(invalid)
    for (const call of ['connectCustomKeyStore', 'deleteCustomKeyStore', 'updateCustomKeyStore'] as const) {
      const outcome = await refusal(kms[call]({ CustomKeyStoreId: 'cks-1', NewCustomKeyStoreName: 'new' } as never))
      expect(outcome).toBe('CustomKeyStoreNotFoundException: Custom key store cks-1 is not found.')
    }
    expect(await refusal(kms.updateCustomKeyStore({ CustomKeyStoreId }))).toMatch(/^ValidationException: /)
  })

  it('whose password is wrong is FAILED after one try, until it is disconnected, updated and connected again', async () => {
    await kms.updateCustomKeyStore({ CustomKeyStoreId, KeyStorePassword: 'wrong-password' })
    const failed = { ConnectionState: 'FAILED', ConnectionErrorCode: 'INVALID_CREDENTIALS' }
    expect(await connected(kms, CustomKeyStoreId)).toMatchObject(failed)
    expect(await refusal(kms.connectCustomKeyStore({ CustomKeyStoreId }))).toMatch(
      /InvalidState.* is FAILED: disconnect it/,
    )
    await disconnected(kms, CustomKeyStoreId)
    expect(await store()).not.toHaveProperty('ConnectionErrorCode')
    await kms.updateCustomKeyStore({ CustomKeyStoreId, KeyStorePassword: token.password })
    expect(await connected(kms, CustomKeyStoreId)).toMatchObject({ ConnectionState: 'CONNECTED' })
    expect(await refusal(kms.connectCustomKeyStore({ CustomKeyStoreId }))).toBe('no refusal')
    const created = gateway.records().flatMap(({ eventName, additionalEventData }) => {
      return eventName === 'CreateSystemKey' && additionalEventData?.hsm === 'store' ? additionalEventData.purpose : []
    })
    expect(created).toEqual(['canary'])
  })

  it('holds keys that say so, on its own HSM', async () => {
    const { KeyMetadata } = await createKey({ Description: 'in a store' })
    KeyId = KeyMetadata!.Arn!
    expect(KeyMetadata).toMatchObject({
      Origin: 'AWS_CLOUDHSM',
      CustomKeyStoreId,
      CloudHsmClusterId: clusterId,
      KeyState: 'Enabled',
      MultiRegion: false,
    })
    expect((await kms.describeKey({ KeyId })).KeyMetadata).toEqual(KeyMetadata)
    const { CiphertextBlob } = await encrypt()
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
    expect((await kms.generateRandom({ NumberOfBytes: 9, CustomKeyStoreId })).Plaintext).toHaveLength(9)
    const { additionalEventData } = gateway.records().find(({ resources }) => resources?.[0]?.ARN === KeyId)!
    expect(additionalEventData).toMatchObject({ customKeyStoreName: 'store', clusterId })
    const { backingKeyId } = JSON.parse(additionalEventData!.backingKey as string) as { backingKeyId: string }
    expect(backingKeyId).toMatch(/^[0-9a-f]{64}$/)
  })

  it.each<[string, Partial<CreateKeyCommandInput>]>([
    ['UnsupportedOperationException', { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }],
    ['UnsupportedOperationException', { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }],
    ['UnsupportedOperationException', { MultiRegion: true }],
    ['ValidationException', { Origin: 'EXTERNAL' }],
    ['ValidationException', { Origin: 'EXTERNAL_KEY_STORE', XksKeyId: 'key' }],
    ['ValidationException', { Origin: 'AWS_KMS' }],
    ['ValidationException', { XksKeyId: 'key' }],
    ['ValidationException', { CustomKeyStoreId: undefined }],
    ['ValidationException', { CustomKeyStoreId: undefined, Origin: 'AWS_KMS', XksKeyId: 'key' }],
    ['CustomKeyStoreNotFoundException', { CustomKeyStoreId: 'cks-1' }],
  ])('refuses with %s a key with %j', async (code, rest) => {
    expect(await refusal(createKey(rest))).toMatch(new RegExp(`^${code}: `))
  })

  it('has keys without rotation, import and data key pairs', async () => {
    const origin = `UnsupportedOperationException: ${KeyId} origin is AWS_CLOUDHSM which is not valid for this operation.`
    const wrapping = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' } as const
    for (const call of [
      kms.enableKeyRotation({ KeyId }),
      kms.disableKeyRotation({ KeyId }),
      kms.getKeyRotationStatus({ KeyId }),
      kms.rotateKeyOnDemand({ KeyId }),
      kms.getParametersForImport({ KeyId, ...wrapping }),
      kms.deleteImportedKeyMaterial({ KeyId }),
      kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
      kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: 'ECC_NIST_P256', DryRun: true }),
    ])
      expect(await refusal(call)).toBe(origin)
  })

  it('that is connected can be renamed, and neither changed otherwise nor deleted', async () => {
    await kms.updateCustomKeyStore({ CustomKeyStoreId, NewCustomKeyStoreName: 'renamed' })
    expect(await store()).toMatchObject({ CustomKeyStoreName: 'renamed', ConnectionState: 'CONNECTED' })
    const invalid = /^CustomKeyStoreInvalidStateException: .* is CONNECTED: disconnect it first\.$/
    const KeyStorePassword = token.password
    expect(await refusal(kms.updateCustomKeyStore({ CustomKeyStoreId, KeyStorePassword }))).toMatch(invalid)
    expect(await refusal(kms.deleteCustomKeyStore({ CustomKeyStoreId }))).toMatch(invalid)
  })

  it('without keys can move to another cluster, and takes nothing along', async () => {
    const input = { ...token.settings, CustomKeyStoreName: 'moving', CloudHsmClusterId: spareId }
    const { CustomKeyStoreId: moving } = await kms.createCustomKeyStore(input)
    expect(await connected(kms, moving!)).toMatchObject({ ConnectionErrorCode: 'CLUSTER_NOT_FOUND' })
    await disconnected(kms, moving!)
    const CloudHsmClusterId = clusterId
    expect(await refusal(kms.updateCustomKeyStore({ CustomKeyStoreId: moving, CloudHsmClusterId }))).toMatch(
      /^CloudHsmClusterInUseException: /,
    )
    await kms.deleteCustomKeyStore({ CustomKeyStoreId: moving })
    expect(await refusal(kms.describeCustomKeyStores({ CustomKeyStoreId: moving }))).toMatch(/NotFound/)
  })

  it('that is disconnected has unavailable keys, which are as before once it is connected again', async () => {
    const [disabled, deleted] = await Promise.all([createKey(), createKey()])
    const [other, gone] = [disabled.KeyMetadata!.Arn!, deleted.KeyMetadata!.Arn!]
    const plain = (await kms.createKey()).KeyMetadata!.KeyId!
    await kms.disableKey({ KeyId: other })
    await kms.scheduleKeyDeletion({ KeyId: gone, PendingWindowInDays: 7 })
    await disconnected(kms, CustomKeyStoreId)
    expect(await Promise.all([stateOf(), stateOf(other), stateOf(gone)])).toEqual([
      'Unavailable',
      'Unavailable',
      'PendingDeletion',
    ])
    expect(await refusal(encrypt())).toBe(`KMSInvalidStateException: ${KeyId} is unavailable.`)
    expect(await refusal(kms.encrypt({ KeyId: plain, Plaintext }))).toBe('no refusal')
    expect(await refusal(kms.deleteCustomKeyStore({ CustomKeyStoreId }))).toBe(
      `CustomKeyStoreHasCMKsException: Custom key store ${CustomKeyStoreId} has 3 KMS keys.`,
    )
    const CloudHsmClusterId = spareId
    expect(await refusal(kms.updateCustomKeyStore({ CustomKeyStoreId, CloudHsmClusterId }))).toMatch(
      /^CloudHsmClusterNotRelatedException: /,
    )
    await kms.enableKey({ KeyId: other })
    await kms.tagResource({ KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] })
    await connected(kms, CustomKeyStoreId)
    expect(await Promise.all([stateOf(), stateOf(other), stateOf(gone)])).toEqual([
      'Enabled',
      'Enabled',
      'PendingDeletion',
    ])
    expect(await refusal(encrypt())).toBe('no refusal')
  })

  it('that was being connected is connected after the gateway was killed', async () => {
    await disconnected(kms, CustomKeyStoreId)
    await kms.connectCustomKeyStore({ CustomKeyStoreId })
    await restart(() => gateway.kill())
    expect(await settled(kms, CustomKeyStoreId)).toMatchObject({ ConnectionState: 'CONNECTED' })
    expect(await refusal(encrypt())).toBe('no refusal')
  })

  it('whose HSM goes away stays CONNECTED, delays nobody else, and works again once that is back', async () => {
    const plain = (await kms.createKey()).KeyMetadata!.KeyId!
    token.faults.set('fail C_* CKR_DEVICE_REMOVED')
    expect(await refusal(encrypt())).toBe(unreachable)
    expect(await refusal(createKey())).toBe(unreachable)
    expect(await refusal(kms.generateRandom({ NumberOfBytes: 1, CustomKeyStoreId }))).toBe(unreachable)
    expect(await refusal(kms.encrypt({ KeyId: plain, Plaintext }))).toBe('no refusal')
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    expect(await store()).toMatchObject({ ConnectionState: 'CONNECTED' })
    expect(await stateOf()).toBe('Enabled')
    token.faults.clear()
    await healed()
  })

  it('whose HSM hangs is FAILED in time, and is disconnected while it is being connected', async () => {
    await disconnected(kms, CustomKeyStoreId)
    token.faults.set('hang C_Login')
    expect(await connected(kms, CustomKeyStoreId)).toMatchObject({
      ConnectionState: 'FAILED',
      ConnectionErrorCode: 'NETWORK_ERRORS',
    })
    await disconnected(kms, CustomKeyStoreId)
    await kms.connectCustomKeyStore({ CustomKeyStoreId })
    expect(await store()).toMatchObject({ ConnectionState: 'CONNECTING' })
    expect(await disconnected(kms, CustomKeyStoreId)).toMatchObject({ ConnectionState: 'DISCONNECTED' })
    token.faults.clear()
    expect(await connected(kms, CustomKeyStoreId)).toMatchObject({ ConnectionState: 'CONNECTED' })
  })

  it('that was connected is so again after a restart, once its HSM is back, now with keys of every key spec, rotation and import', async () => {
    token.faults.set('fail C_Login CKR_DEVICE_REMOVED')
    await restart(undefined, { allKeySpecs: true, passwords: 'memory' })
    expect(await store()).toMatchObject({ ConnectionState: 'CONNECTED' })
    expect(await refusal(encrypt())).toBe(unreachable)
    token.faults.clear()
    await healed()
    await kms.enableKeyRotation({ KeyId })
    const before = await encrypt()
    await kms.rotateKeyOnDemand({ KeyId })
    expect((await kms.listKeyRotations({ KeyId })).Rotations).toHaveLength(1)
    expect(Buffer.from((await kms.decrypt(before)).Plaintext!)).toEqual(Plaintext)
    const signing = await createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
    const sign = { KeyId: signing.KeyMetadata!.KeyId, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' } as const
    expect((await kms.verify({ ...sign, Signature: (await kms.sign(sign)).Signature })).SignatureValid).toBe(true)
    const external = (await createKey({ Origin: 'EXTERNAL' })).KeyMetadata!.KeyId!
    const { ImportToken, PublicKey } = await kms.getParametersForImport({ KeyId: external, ...plainly })
    const EncryptedKeyMaterial = wrapMaterial(PublicKey!, 'RSAES_OAEP_SHA_1', Buffer.alloc(32, 7))
    await kms.importKeyMaterial({ KeyId: external, ImportToken, EncryptedKeyMaterial, ...forever })
    expect(await refusal(kms.encrypt({ KeyId: external, Plaintext }))).toBe('no refusal')
    await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' })
    expect((await kms.describeKey({ KeyId: external })).KeyMetadata).toMatchObject({ CloudHsmClusterId: clusterId })
  })

  it('whose password is in memory only must be given it again after a restart', async () => {
    await disconnected(kms, CustomKeyStoreId)
    await kms.updateCustomKeyStore({ CustomKeyStoreId, KeyStorePassword: token.password })
    expect(await connected(kms, CustomKeyStoreId)).toMatchObject({ ConnectionState: 'CONNECTED' })
    await restart()
    await expect.poll(async () => (await store()).ConnectionErrorCode).toBe('INVALID_CREDENTIALS')
    expect(await store()).toMatchObject({ ConnectionState: 'FAILED' })
    expect(await stateOf()).toBe('Unavailable')
  })

  it('leaves its password nowhere', async () => {
    await gateway.stop()
    const files = readdirSync(installation.folder, { recursive: true, withFileTypes: true }).filter(file =>
      file.isFile(),
    )
    const found = files.filter(({ parentPath, name }) => readFileSync(join(parentPath, name)).includes(token.password))
    expect(found.map(({ name }) => name)).toEqual([])
    expect(gateway.warnings().join()).not.toMatch(/test-user-pin|wrong-password/)
  })
})
