/** What callers may send in place of wrapped key material, or of its token: refused, without a trace. */
import { randomBytes } from 'node:crypto'
import type { ImportKeyMaterialRequest, KeyUsageType } from '@aws-sdk/client-kms'
import { beforeAll, describe, expect, it } from 'vitest'
import { type BadWrapping, badWrappings } from '../contracts/bad-wrapping.ts'
import { newKeyBytes } from '../contracts/hsm-imports.ts'
import type { RunningGateway } from '../state-machine/running-gateway.ts'
import { created, forever, imported, metadata, plainly, type Way, wrapped } from './imports.ts'
import { refusal } from './requests.ts'
import { objectsOn } from './token-objects.ts'

/** The tests of the HSM have every type of key with every algorithm. */
const kinds = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'RSAES_OAEP_SHA_256'],
  ['HMAC_384', 'GENERATE_VERIFY_MAC', 'RSAES_OAEP_SHA_1'],
  ['ECC_NIST_P256', 'KEY_AGREEMENT', 'RSA_AES_KEY_WRAP_SHA_256'],
  ['RSA_2048', 'SIGN_VERIFY', 'RSA_AES_KEY_WRAP_SHA_1'],
] as const

/** KMS API Reference: EncryptedKeyMaterial has 1 to 6144 bytes. */
const errorOf = ({ bytes: { length }, code }: BadWrapping) => {
  if (length > 100_000) return 'RequestEntityTooLargeException'
  return length >= 1 && length <= 6144 ? `${code}Exception` : 'ValidationException'
}

export function refusals(gateway: () => RunningGateway): void {
  const ids = async () => (await objectsOn(gateway().installation)).map(({ id }) => id).sort()

  it.each(kinds)('key material of %s for %s under %s can be replaced by nothing else', async (...kind) => {
    const [spec, usage, WrappingAlgorithm] = kind
    const KeyId = await created(gateway(), spec, usage)
    const way = { KeyId, ...plainly, WrappingAlgorithm }
    const { PublicKey, ImportToken } = await gateway().kms.getParametersForImport(way)
    const before = await ids()
    for (const bad of badWrappings(Buffer.from(PublicKey!), WrappingAlgorithm, spec, newKeyBytes(spec))) {
      const request = { KeyId, ImportToken, EncryptedKeyMaterial: bad.bytes, ...forever }
      const answer = await refusal(gateway().kms.importKeyMaterial(request))
      expect(answer.split(':')[0], bad.what).toBe(errorOf(bad))
    }
    expect(await metadata(gateway(), KeyId)).toMatchObject({ KeyState: 'PendingImport', Enabled: false })
    expect(await ids()).toEqual(before)
  })

  describe('a key with its material', () => {
    const material = randomBytes(32)
    const text = Buffer.from('a secret that is not one')
    let KeyId: string
    let other: string
    let good: Awaited<ReturnType<typeof wrapped>>
    let CiphertextBlob: Uint8Array | undefined

    beforeAll(async () => {
      KeyId = await created(gateway())
      other = await created(gateway())
      await imported(gateway(), KeyId, material)
      await imported(gateway(), other, material)
      good = await wrapped(gateway(), KeyId, material)
      ;({ CiphertextBlob } = await gateway().kms.encrypt({ KeyId, Plaintext: text }))
    })

    const sha256: Way = { ...plainly, WrappingAlgorithm: 'RSAES_OAEP_SHA_256' }
    const isNew = { ...forever, ImportType: 'NEW_KEY_MATERIAL' } as const
    type Changed = (token: Uint8Array) => Promise<Partial<ImportKeyMaterialRequest>> | Partial<ImportKeyMaterialRequest>
    const fresh = (bytes: Buffer, way?: Way) => wrapped(gateway(), KeyId, bytes, way)

    // biome-ignore format: a table
    it.each<readonly [string, string, Changed]>([
      ['the token of another key', 'InvalidImportTokenException', async () => ({ ImportToken: (await wrapped(gateway(), other, material)).ImportToken })],
      ['material wrapped for another key', 'InvalidCiphertextException', async () => ({ EncryptedKeyMaterial: (await wrapped(gateway(), other, material)).EncryptedKeyMaterial })],
      ['a garbage token', 'InvalidImportTokenException', () => ({ ImportToken: randomBytes(200) })],
      ['a token of one byte', 'InvalidImportTokenException', () => ({ ImportToken: new Uint8Array(1) })],
      ['a token that is cut', 'InvalidImportTokenException', token => ({ ImportToken: token.subarray(0, -1) })],
      ['a token with a byte more', 'InvalidImportTokenException', token => ({ ImportToken: Buffer.concat([token, Buffer.alloc(1)]) })],
      ['a token with a bit flipped', 'InvalidImportTokenException', token => ({ ImportToken: token.with(token.length - 1, token.at(-1)! ^ 1) })],
      ['a ciphertext as its token', 'InvalidImportTokenException', () => ({ ImportToken: CiphertextBlob! })],
      ['the token of another wrapping algorithm', 'InvalidCiphertextException', async () => ({ ImportToken: (await fresh(material, sha256)).ImportToken })],
      ['the token of another wrapping key', 'InvalidCiphertextException', async () => ({ ImportToken: (await fresh(material, { ...plainly, WrappingKeySpec: 'RSA_3072' })).ImportToken })],
      ['other material', 'IncorrectKeyMaterialException', () => fresh(randomBytes(32))],
      ['other material as existing', 'IncorrectKeyMaterialException', async () => ({ ...(await fresh(randomBytes(32))), ImportType: 'EXISTING_KEY_MATERIAL' })],
      ['its material as new', 'IncorrectKeyMaterialException', () => isNew],
      ['its material under another id', 'IncorrectKeyMaterialException', () => ({ KeyMaterialId: 'ab'.repeat(32) })],
      ['an id of new material', 'ValidationException', () => ({ ...isNew, KeyMaterialId: 'ab'.repeat(32) })],
      ['no date', 'ValidationException', () => ({ ExpirationModel: undefined })],
      ['a date without expiry', 'ValidationException', () => ({ ValidTo: new Date(gateway().time.now + 60_000) })],
      ['a date that is over', 'ValidationException', () => ({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(gateway().time.now - 1000) })],
      ['a date in more than a year', 'ValidationException', () => ({ ExpirationModel: undefined, ValidTo: new Date(gateway().time.now + 366 * 86_400_000) })],
    ])('is as before after an import with %s: %s', async (_, error, change) => {
      const request = { ...good, ...forever, ...(await change(Uint8Array.from(good.ImportToken))) }
      expect((await refusal(gateway().kms.importKeyMaterial(request))).split(':')[0]).toBe(error)
      const { Plaintext } = await gateway().kms.decrypt({ CiphertextBlob })
      expect(Buffer.from(Plaintext!)).toEqual(text)
    })

    it('has no other object for all that, and the token is as good as new', async () => {
      expect(await gateway().kms.importKeyMaterial({ ...good, ...forever })).toMatchObject({ KeyId })
      await gateway().time.moveTo(gateway().time.now + 2000)
      await gateway().time.moveTo(gateway().time.now + 2000)
      const labels = (await objectsOn(gateway().installation)).map(({ label }) => label)
      expect(labels.filter(label => label === KeyId)).toHaveLength(1)
    })
  })

  it.each<readonly [string, string, Partial<Way>]>([
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', { WrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' }],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', { WrappingAlgorithm: 'RSAES_PKCS1_V1_5' }],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', { WrappingAlgorithm: 'SM2PKE', WrappingKeySpec: 'SM2' }],
    ['HMAC_256', 'GENERATE_VERIFY_MAC', { WrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_1' }],
    ['RSA_2048', 'SIGN_VERIFY', { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_4096' }],
    ['ECC_NIST_P521', 'SIGN_VERIFY', { WrappingAlgorithm: 'RSAES_OAEP_SHA_256' }],
    ['ECC_NIST_P521', 'SIGN_VERIFY', { WrappingAlgorithm: 'RSAES_OAEP_SHA_1' }],
  ])('key material of %s for %s cannot be wrapped with %j', async (spec, usage, way) => {
    const KeyId = await created(gateway(), spec as 'RSA_2048', usage as KeyUsageType)
    expect(await refusal(gateway().kms.getParametersForImport({ KeyId, ...plainly, ...way }))).toMatch(
      /^UnsupportedOperationException: /,
    )
  })

  it.each([
    ['GetParametersForImport', plainly],
    ['ImportKeyMaterial', { ImportToken: new Uint8Array(1), EncryptedKeyMaterial: new Uint8Array(1) }],
    ['DeleteImportedKeyMaterial', {}],
  ] as const)('%s is not for keys that the HSM generated', async (operation, input) => {
    const { KeyMetadata } = await gateway().kms.createKey({})
    const member = (operation[0]!.toLowerCase() + operation.slice(1)) as 'deleteImportedKeyMaterial'
    const { Arn } = KeyMetadata!
    expect(await refusal(gateway().kms[member]({ KeyId: Arn, ...input }))).toBe(
      `UnsupportedOperationException: ${Arn} origin is AWS_KMS which is not valid for this operation.`,
    )
  })
}
