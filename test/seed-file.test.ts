import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { OperatorError } from '../src/errors.ts'
import { readSeed } from '../src/seed-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'strongroom-seed-'))
const file = join(folder, 'seed.yaml')
afterAll(() => rmSync(folder, { recursive: true }))

function read(text: string) {
  writeFileSync(file, text)
  return readSeed(file)
}

function mistakeIn(text: string): string {
  try {
    read(text)
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError)
    return (error as Error).message.replace(file, 'FILE')
  }
  return 'no mistake'
}

const KeyId = 'bc436485-5092-42b8-92a3-0aa8b93536dc'
const pem = (namedCurve: string, type: 'sec1' | 'pkcs8') =>
  generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'pem', type })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const aes = (rest: object) =>
  stringify({ Keys: { Symmetric: { Aes: [{ Metadata: { KeyId }, BackingKeys: ['ab'.repeat(32)], ...rest }] } } })
const asymmetric = (kind: 'Rsa' | 'Ecc', Metadata: object, PrivateKeyPem: unknown) =>
  stringify({ Keys: { Asymmetric: { [kind]: [{ Metadata: { KeyId, ...Metadata }, PrivateKeyPem }] } } })

describe('a seed file', () => {
  it('may have nothing, and keys of every kind', () => {
    expect(read('')).toEqual({ keys: [], aliases: [] })
    expect(read('Keys: {}\nAliases: []\n')).toEqual({ keys: [], aliases: [] })
    const [key] = read(aes({ BackingKeys: ['00'.repeat(32), 'AB'.repeat(32)], NextKeyRotation: '2027-01-01' })).keys
    expect(key).toMatchObject({ id: KeyId, spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS' })
    expect(key!.materials).toEqual([Buffer.alloc(32), Buffer.alloc(32, 0xab)])
    expect(key!.nextRotationDate).toBe(Date.UTC(2027, 0, 1))
    const external = { Metadata: { KeyId, Origin: 'EXTERNAL' } }
    for (const BackingKeys of [[], undefined])
      expect(read(aes({ ...external, BackingKeys })).keys[0]).toMatchObject({ origin: 'EXTERNAL', materials: [] })
    for (const [curve, spec] of Object.entries({ 'P-384': 'ECC_NIST_P384', secp256k1: 'ECC_SECG_P256K1' })) {
      expect(read(asymmetric('Ecc', {}, pem(curve, 'sec1'))).keys[0]).toMatchObject({ spec, usage: 'SIGN_VERIFY' })
    }
    for (const type of ['pkcs1', 'pkcs8'] as const) {
      const text = rsa.export({ format: 'pem', type })
      const { keys } = read(asymmetric('Rsa', { KeyUsage: 'ENCRYPT_DECRYPT', Origin: 'EXTERNAL' }, text))
      const materials = [rsa.export({ format: 'der', type: 'pkcs8' })]
      expect(keys[0]).toMatchObject({ spec: 'RSA_2048', usage: 'ENCRYPT_DECRYPT', origin: 'EXTERNAL', materials })
    }
  })

  it('may have the form of version 2, with keys of every key spec', () => {
    const key = (KeySpec: string, Material: object, rest: object = {}) => ({
      KeyId,
      Metadata: { KeySpec, ...rest },
      Material,
    })
    const text = stringify({
      Version: 2,
      Keys: [
        key('SYMMETRIC_DEFAULT', { BackingKeys: ['00'.repeat(32), '01'.repeat(32)] }, { Description: 'one' }),
        key('HMAC_224', { BackingKeys: ['02'.repeat(28)] }),
        key('ECC_NIST_P256', { PrivateKeyPem: pem('P-256', 'sec1') }),
        key(
          'RSA_2048',
          { PrivateKeyPem: rsa.export({ format: 'pem', type: 'pkcs1' }) },
          { KeyUsage: 'ENCRYPT_DECRYPT' },
        ),
      ],
      Aliases: [
        { AliasName: 'alias/one', TargetKeyId: KeyId },
        { AliasName: 'two', TargetKeyId: KeyId },
      ],
    })
    const { keys, aliases } = read(text)
    expect(keys.map(({ spec, usage, materials }) => [spec, usage, materials.length])).toEqual([
      ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 2],
      ['HMAC_224', 'GENERATE_VERIFY_MAC', 1],
      ['ECC_NIST_P256', 'SIGN_VERIFY', 1],
      ['RSA_2048', 'ENCRYPT_DECRYPT', 1],
    ])
    expect(keys[0]!.description).toBe('one')
    expect(aliases.map(({ name }) => name)).toEqual(['alias/one', 'alias/two'])
  })

  const secret = 'c0ffee'.repeat(10)
  const withoutMaterial = `seed file FILE: key ${KeyId}: only a key of Origin EXTERNAL can be without key material`
  const notSupported = `seed file FILE: key ${KeyId}: not the private key of a supported key spec in PEM`
  const notRotated = `seed file FILE: key ${KeyId}: NextKeyRotation is for symmetric keys of Origin AWS_KMS only`
  const two = (KeySpec: string, Material: object, rest: object = {}) =>
    stringify({ Keys: [{ KeyId, Metadata: { KeySpec }, Material, ...rest }] })
  // biome-ignore format: a table
  const wrong: readonly (readonly [message: string, text: string])[] = [
    ['seed file FILE: Keys.Symmetric.Aes.0.BackingKeys.0: not 64 hex digits', aes({ BackingKeys: [secret] })],
    [withoutMaterial, aes({ BackingKeys: [] })],
    [withoutMaterial, aes({ BackingKeys: undefined })],
    ['seed file FILE: Keys.Symmetric.Aes.0.Metadata.KeyId: not a key id', aes({ Metadata: { KeyId: 'mine' } })],
    ['seed file FILE: Keys.Symmetric.Aes.0.Metadata.KeyId: not a key id', aes({ Metadata: { KeyId: `mrk-${'0A'.repeat(16)}` } })],
    ['seed file FILE: Keys.Symmetric.Aes.0.NextKeyRotation: not a date', aes({ NextKeyRotation: 'next year' })],
    [notRotated, aes({ Metadata: { KeyId, Origin: 'EXTERNAL' }, NextKeyRotation: '2027-01-01' })],
    [notRotated, two('HMAC_256', { BackingKeys: [secret] }, { NextKeyRotation: '2027-01-01' })],
    ['seed file FILE: unknown key Keyring', `Keyring: ${secret}`],
    ['seed file FILE: unknown key Hmac under Keys.Symmetric', 'Keys: { Symmetric: { Hmac: [] } }'],
    [notSupported, asymmetric('Ecc', {}, pem('P-224', 'pkcs8'))],
    [notSupported, asymmetric('Ecc', {}, secret)],
    ['seed file FILE: invalid input: expected object, received string', secret],
    [`seed file FILE: key ${KeyId}: KeyUsage is missing or does not fit KeySpec RSA_2048`, two('RSA_2048', { PrivateKeyPem: secret })],
    [withoutMaterial, two('HMAC_256', { PrivateKeyPem: secret })],
    [`seed file FILE: key ${KeyId}: not the private key of a supported key spec in PEM`, two('ECC_NIST_P256', { BackingKeys: [secret] })],
    ['seed file FILE: Keys.0.Material.BackingKeys.0: not hex digits', two('HMAC_256', { BackingKeys: [`${secret}x`] })],
    ['cannot read the seed file FILE: not valid YAML at line 3', `Keys:\n  {\n  "${secret}`],
    ['cannot read the seed file FILE: not valid YAML at line 2', `Keys: {}\nKeys: ${secret}\n`],
    ['cannot read the seed file FILE: not valid YAML', `- &a [*b, ${secret}]`],
  ]
  it.each(wrong)('is refused, and not shown: %s', (message, text) => {
    expect(mistakeIn(text)).toBe(message)
    expect(mistakeIn(text)).not.toContain(secret)
  })

  it('is refused if it is not there', () => {
    expect(() => readSeed(join(folder, 'nowhere'))).toThrow(/^cannot read the seed file .*nowhere: ENOENT$/)
  })
})
