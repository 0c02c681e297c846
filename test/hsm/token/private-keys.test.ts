import {
  createPrivateKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import pkcs11js from 'pkcs11js'
import { describe, expect, it } from 'vitest'
import { CryptokiError } from '../../../src/hsm/return-codes.ts'
import { keyMechanisms } from '../../../src/hsm/token/mechanisms.ts'
import { privateKeyInfo } from '../../../src/hsm/token/private-keys.ts'
import type { SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'

/** OpenSSL's view of the DER that is built from a token's attributes. */

const CKA_SEED = 0x637

function read(der: Buffer): KeyObject {
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

/** OpenSSL writes SEQUENCE { seed OCTET STRING, expandedKey OCTET STRING } at the end. */
function partsOf(privateKey: KeyObject, seedLength: number): { seed: Buffer; expandedKey: Buffer } {
  const der = privateKey.export({ format: 'der', type: 'pkcs8' })
  const seedStart = der.indexOf(Buffer.from([0x04, seedLength])) + 2
  const seed = der.subarray(seedStart, seedStart + seedLength)
  // Tag, 0x82 and two bytes of length.
  return { seed, expandedKey: der.subarray(seedStart + seedLength + 4) }
}

/** A token that has these attributes, and no others. */
function token(attributes: Readonly<Record<number, Buffer>>): (type: number) => Buffer {
  return type => {
    const value = attributes[type]
    if (value === undefined) throw new CryptokiError('C_GetAttributeValue', pkcs11js.CKR_ATTRIBUTE_TYPE_INVALID)
    return Buffer.from(value)
  }
}

describe.each([
  ['ML_KEM_512', 'ml-kem-512', 1632],
  ['ML_KEM_768', 'ml-kem-768', 2400],
  ['ML_KEM_1024', 'ml-kem-1024', 3168],
] as const)('the private key of a pair of %s', (spec, openssl, expandedLength) => {
  const mechanism = keyMechanisms[spec satisfies SupportedKeySpec]!
  const pair = generateKeyPairSync(openssl as 'ml-kem-768')
  const { seed, expandedKey } = partsOf(pair.privateKey, 64)
  const { sharedKey, ciphertext } = encapsulate(pair.publicKey)

  it.each([
    ['its seed', { [CKA_SEED]: seed, [pkcs11js.CKA_VALUE]: expandedKey }],
    ['its expanded key, where the token does not know the seed', { [pkcs11js.CKA_VALUE]: expandedKey }],
    ['its expanded key, where the seed is empty', { [CKA_SEED]: Buffer.alloc(0), [pkcs11js.CKA_VALUE]: expandedKey }],
  ])('is %s, and decapsulates what its public key encapsulated', (_, attributes) => {
    expect(expandedKey).toHaveLength(expandedLength)
    const own = read(privateKeyInfo(mechanism, token(attributes)))
    expect(decapsulate(own, ciphertext)).toEqual(sharedKey)
    expect(own.equals(pair.privateKey)).toBe(true)
  })

  it('is refused if the token does not reveal it', () => {
    const failing = () => {
      throw new CryptokiError('C_GetAttributeValue', pkcs11js.CKR_DEVICE_ERROR)
    }
    expect(() => privateKeyInfo(mechanism, failing)).toThrow('CKR_DEVICE_ERROR')
  })
})

it('the private key of a pair of Ed25519 signs', () => {
  const pair = generateKeyPairSync('ed25519')
  const value = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const own = read(privateKeyInfo(keyMechanisms.ECC_NIST_EDWARDS25519!, token({ [pkcs11js.CKA_VALUE]: value })))
  const message = Buffer.from('a message')
  expect(verify(null, message, pair.publicKey, sign(null, message, own))).toBe(true)
})
