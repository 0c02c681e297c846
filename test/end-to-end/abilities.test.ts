import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DataKeyPairSpec, KeyMetadata, KMS, MessageType } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shapeNamed } from '../../src/apis/kms/model.ts'
import { keySpecs, type SupportedKeySpec } from '../../src/model/keys/key-spec.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { call, refusal } from './requests.ts'
import { type Kinds, makeKeys, type TestKey } from './test-keys.ts'

/** What an HSM cannot do: it is not listed, and a dry run says what the call itself says. */

// biome-ignore format: a table
const kinds = {
  symmetric:  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  rsa:        ['RSA_2048', 'ENCRYPT_DECRYPT'],
  rsaSigning: ['RSA_2048', 'SIGN_VERIFY'],
  p256:       ['ECC_NIST_P256', 'SIGN_VERIFY'],
  p384:       ['ECC_NIST_P384', 'SIGN_VERIFY'],
  p521:       ['ECC_NIST_P521', 'SIGN_VERIFY'],
  k256:       ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
  ed25519:    ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
  agreement:  ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  hmac224:    ['HMAC_224', 'GENERATE_VERIFY_MAC'],
  hmac512:    ['HMAC_512', 'GENERATE_VERIFY_MAC'],
} as const satisfies Kinds<string>
type Name = keyof typeof kinds
const names = Object.keys(kinds) as Name[]

let installation: Installation
let gateway: Gateway
let kms: KMS
let keys: Readonly<Record<Name, TestKey>>

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  keys = await makeKeys(gateway.client(), kinds)
  await gateway.stop()
  // An HSM that supported more when the keys were created: it now lacks part or all of what a key needs.
  const lacks = [
    'RSASSA_PSS_SHA_384: not in this firmware',
    'ECDSA_SHA_512: not in this firmware',
    'HMAC_SHA_224: not in this firmware',
    'ECC_NIST_P384: not in this firmware',
    'ECDH: not in this firmware',
  ]
  const profile = ['name: old', 'basedOn: softhsm2', `lacks: {${lacks.join(', ')}}`]
  writeFileSync(join(installation.folder, 'old.yaml'), profile.join('\n'), { mode: 0o600 })
  installation.configure(({ hsms }) =>
    Object.assign(hsms.softhsm!, { profile: './old.yaml', allowSoftwareFallback: false, strictCustody: true }),
  )
  gateway = await serve(installation)
  kms = gateway.client()
}, 60_000)
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const valuesOf = (shape: string) => (shapeNamed(shape) as { readonly enum: readonly string[] }).enum
const Plaintext = Buffer.from('text')
const dryRun = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'
/** What only the HSM can say, of the input it was given. */
const answered = ['no refusal', 'InvalidCiphertextException', 'KMSInvalidSignatureException', 'KMSInvalidMacException']

/** Every call that a key could be asked for, however little it fits. */
function everyUse(name: Name): (readonly [OperationName, Record<string, unknown>])[] {
  const { KeyId } = keys[name]
  const types: readonly (readonly [MessageType, number])[] = [
    ['RAW', 5],
    ...[32, 48, 64].map(length => ['DIGEST', length] as const),
    ['EXTERNAL_MU', 64],
  ]
  const PublicKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey.export({
    format: 'der',
    type: 'spki',
  })
  return [
    ...valuesOf('EncryptionAlgorithmSpec').flatMap(EncryptionAlgorithm => [
      ['Encrypt', { KeyId, Plaintext, EncryptionAlgorithm }] as const,
      ['Decrypt', { KeyId, CiphertextBlob: Buffer.alloc(256, 1), EncryptionAlgorithm }] as const,
    ]),
    ...valuesOf('SigningAlgorithmSpec').flatMap(SigningAlgorithm =>
      types.flatMap(([MessageType, length]) => {
        const input = { KeyId, Message: Buffer.alloc(length), MessageType, SigningAlgorithm }
        return [['Sign', input] as const, ['Verify', { ...input, Signature: Buffer.alloc(64, 1) }] as const]
      }),
    ),
    ...valuesOf('MacAlgorithmSpec').flatMap(MacAlgorithm => [
      ['GenerateMac', { KeyId, Message: Plaintext, MacAlgorithm }] as const,
      ['VerifyMac', { KeyId, Message: Plaintext, Mac: Buffer.alloc(32, 1), MacAlgorithm }] as const,
    ]),
    ['DeriveSharedSecret', { KeyId, PublicKey, KeyAgreementAlgorithm: 'ECDH' }],
    ['GenerateDataKey', { KeyId, KeySpec: 'AES_256' }],
    // Without RSA: its keys take a second each, and behave in the same way.
    ...valuesOf('DataKeyPairSpec')
      .filter(spec => !spec.startsWith('RSA') || name !== 'symmetric')
      .map(KeyPairSpec => ['GenerateDataKeyPair', { KeyId, KeyPairSpec }] as const),
  ]
}

describe.each(names)('a dry run with the %s key', name => {
  it('answers what the call itself is refused with, for every algorithm and type of message', async () => {
    const uses = everyUse(name)
    const wrong: string[] = []
    for (const [operation, input] of uses) {
      const [real, dry] = await Promise.all([
        refusal(call(kms, operation, input)),
        refusal(call(kms, operation, { ...input, DryRun: true })),
      ])
      const isRight = real === dry || (dry === dryRun && answered.includes(real))
      if (!isRight) wrong.push(`${operation} ${JSON.stringify(input).slice(0, 200)}: ${real}, but in a dry run ${dry}`)
    }
    expect(uses.length).toBeGreaterThan(100)
    expect(wrong).toEqual([])
  })
})

describe('a key lists', () => {
  const listNames = ['EncryptionAlgorithms', 'SigningAlgorithms', 'MacAlgorithms', 'KeyAgreementAlgorithms'] as const
  const listed = (metadata: Partial<KeyMetadata>) => listNames.flatMap<string>(list => metadata[list] ?? [])

  it.each(names)('the algorithms that it can be used with, and no others: %s', async name => {
    const { KeyId, usage } = keys[name]
    const { KeyMetadata } = await kms.describeKey({ KeyId })
    const uses = everyUse(name).filter(([operation]) => !operation.startsWith('GenerateDataKey'))
    const works = new Set<unknown>()
    for (const [operation, input] of uses) {
      if (!['Encrypt', 'Sign', 'GenerateMac', 'DeriveSharedSecret'].includes(operation)) continue
      const { EncryptionAlgorithm, SigningAlgorithm, MacAlgorithm, KeyAgreementAlgorithm } = input
      const algorithm = EncryptionAlgorithm ?? SigningAlgorithm ?? MacAlgorithm ?? KeyAgreementAlgorithm
      if ((await refusal(call(kms, operation, input))) === 'no refusal') works.add(algorithm)
    }
    expect(new Set(listed(KeyMetadata!))).toEqual(works)
    if (usage === 'GENERATE_VERIFY_MAC' || name === 'symmetric') return
    expect(listed(await kms.getPublicKey({ KeyId }))).toEqual(listed(KeyMetadata!))
  })

  it('an empty list if its HSM no longer supports any', async () => {
    expect((await kms.describeKey({ KeyId: keys.p521.KeyId })).KeyMetadata!.SigningAlgorithms).toEqual([])
  })

  it('the same when it is made', async () => {
    const made = await kms.createKey({ KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
    expect(made.KeyMetadata!.SigningAlgorithms).toEqual(['ED25519_SHA_512'])
    const rsa = await kms.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
    expect(rsa.KeyMetadata!.EncryptionAlgorithms).toEqual(['RSAES_OAEP_SHA_1'])
  })
})

describe('an unsupported request is refused with the reason', () => {
  const pkcs11js = 'pkcs11js has no C_EncapsulateKey and C_DecapsulateKey (PKCS#11 v3.2)'
  // biome-ignore format: a table
  const reasons: Readonly<Partial<Record<SupportedKeySpec, string>>> = {
    ECC_NIST_P384: 'Key spec ECC_NIST_P384 is not supported by this HSM: not in this firmware.',
    ECC_NIST_P521: 'Key usage SIGN_VERIFY of key spec ECC_NIST_P521 is not supported by this HSM: not in this firmware.',
    HMAC_224:      'Key usage GENERATE_VERIFY_MAC of key spec HMAC_224 is not supported by this HSM: not in this firmware.',
    ML_DSA_44:     'Key spec ML_DSA_44 is not supported by this HSM: the HSM has no mechanism to generate such keys.',
    ML_KEM_512:    `Key usage ENCAPSULATE_DECAPSULATE of key spec ML_KEM_512 is not supported: ${pkcs11js}.`,
    ML_KEM_768:    `Key usage ENCAPSULATE_DECAPSULATE of key spec ML_KEM_768 is not supported: ${pkcs11js}.`,
    ML_KEM_1024:   `Key usage ENCAPSULATE_DECAPSULATE of key spec ML_KEM_1024 is not supported: ${pkcs11js}.`,
    SM2:           'Key spec SM2 is not supported: PKCS#11 has no mechanisms for it.',
  }

  it.each(Object.entries(reasons) as [SupportedKeySpec, string][])('%s', async (KeySpec, reason) => {
    const KeyUsage = KeySpec === 'SM2' ? 'SIGN_VERIFY' : keySpecs[KeySpec].usages[0]!
    expect(await refusal(kms.createKey({ KeySpec, KeyUsage }))).toBe(`UnsupportedOperationException: ${reason}`)
  })

  it.each([
    ['ML_KEM_768', 'Key spec ML_KEM_768 is not supported by this HSM: the HSM has no mechanism to generate such keys.'],
    ['SM2', reasons.SM2!],
    ['ECC_NIST_P384', reasons.ECC_NIST_P384!],
  ] as const)('a data key pair of %s', async (spec, reason) => {
    const KeyPairSpec: DataKeyPairSpec = spec
    const input = { KeyId: keys.symmetric.KeyId, KeyPairSpec }
    for (const DryRun of [false, true]) {
      const refused = await refusal(kms.generateDataKeyPairWithoutPlaintext({ ...input, DryRun }))
      expect(refused).toBe(`UnsupportedOperationException: ${reason}`)
    }
  })

  it('padding that the worker would have to remove, without the software fallback', async () => {
    const input = { KeyId: keys.rsa.KeyId, Plaintext, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const
    expect(await refusal(kms.encrypt({ ...input, DryRun: true }))).toBe(
      'UnsupportedOperationException: Algorithm RSAES_OAEP_SHA_256 is not supported by this HSM: it does not support the padding, and allowSoftwareFallback is false.',
    )
  })

  it('a wrapping algorithm of which a worker would see the key material, with strict custody', async () => {
    const { KeyMetadata } = await kms.createKey({ Origin: 'EXTERNAL' })
    const input = { KeyId: KeyMetadata!.KeyId, WrappingKeySpec: 'RSA_2048' } as const
    expect(await refusal(kms.getParametersForImport({ ...input, WrappingAlgorithm: 'RSAES_OAEP_SHA_256' }))).toBe(
      'UnsupportedOperationException: Import of key material of key spec SYMMETRIC_DEFAULT under RSAES_OAEP_SHA_256 is not supported by this HSM: it cannot unwrap it, and the configuration does not allow a worker to.',
    )
    const WrappingAlgorithm = 'RSAES_OAEP_SHA_1'
    const { PublicKey, ImportToken } = await kms.getParametersForImport({ ...input, WrappingAlgorithm })
    const EncryptedKeyMaterial = wrapMaterial(PublicKey!, WrappingAlgorithm, randomBytes(32))
    const ExpirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE'
    await kms.importKeyMaterial({ KeyId: input.KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel })
    const { CiphertextBlob } = await kms.encrypt({ KeyId: input.KeyId, Plaintext })
    expect((await kms.decrypt({ CiphertextBlob })).Plaintext).toEqual(Uint8Array.from(Plaintext))
  })

  it('ReEncrypt to such an algorithm, before anything is decrypted', async () => {
    const { CiphertextBlob } = await kms.encrypt({ KeyId: keys.symmetric.KeyId, Plaintext })
    const damaged = CiphertextBlob!.map((byte, i) => (i === CiphertextBlob!.length - 1 ? byte ^ 1 : byte))
    const to = { DestinationKeyId: keys.rsa.KeyId, DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const
    for (const input of [{ CiphertextBlob }, { CiphertextBlob: damaged }, { CiphertextBlob, DryRun: true }]) {
      expect(await refusal(kms.reEncrypt({ ...input, ...to }))).toMatch(
        /^UnsupportedOperationException: Algorithm RSAES/,
      )
    }
  })
})
