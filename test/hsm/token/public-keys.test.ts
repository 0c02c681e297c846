import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import pkcs11js from 'pkcs11js'
import { describe, expect, it } from 'vitest'
import { keyMechanisms } from '../../../src/hsm/token/mechanisms.ts'
import { peerPoint, publicKeyAttributes, subjectPublicKeyInfo } from '../../../src/hsm/token/public-keys.ts'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'

const rsa = (modulusLength: number) => () => generateKeyPairSync('rsa', { modulusLength }).publicKey
const curve = (namedCurve: string) => () => generateKeyPairSync('ec', { namedCurve }).publicKey

/** Bytes of DER SubjectPublicKeyInfo. */
const rows: readonly (readonly [SupportedKeySpec, () => KeyObject, number])[] = [
  ['RSA_2048', rsa(2048), 294],
  ['RSA_3072', rsa(3072), 422],
  ['RSA_4096', rsa(4096), 550],
  ['ECC_NIST_P256', curve('prime256v1'), 91],
  ['ECC_NIST_P384', curve('secp384r1'), 120],
  ['ECC_NIST_P521', curve('secp521r1'), 158],
  ['ECC_SECG_P256K1', curve('secp256k1'), 88],
  ['ECC_NIST_EDWARDS25519', () => generateKeyPairSync('ed25519').publicKey, 44],
  ['ML_DSA_44', () => generateKeyPairSync('ml-dsa-44').publicKey, 1334],
  ['ML_DSA_65', () => generateKeyPairSync('ml-dsa-65').publicKey, 1974],
  ['ML_DSA_87', () => generateKeyPairSync('ml-dsa-87').publicKey, 2614],
  ['ML_KEM_512', () => generateKeyPairSync('ml-kem-512').publicKey, 822],
  ['ML_KEM_768', () => generateKeyPairSync('ml-kem-768').publicKey, 1206],
  ['ML_KEM_1024', () => generateKeyPairSync('ml-kem-1024').publicKey, 1590],
]

describe.each(rows)('a public key of %s', (spec, generate, length) => {
  const mechanism = keyMechanisms[spec]!
  const der = generate().export({ format: 'der', type: 'spki' })
  const attributes = new Map(publicKeyAttributes(mechanism, der))
  const read = (type: number) => Buffer.from(attributes.get(type) as Buffer)

  it('is the same as that of OpenSSL after a round trip through a token', () => {
    expect(der).toHaveLength(length)
    expect(subjectPublicKeyInfo(mechanism, read)).toEqual(der)
  })
})

it.each(rows.filter(([spec]) => spec.startsWith('ECC')))(
  'of %s may be on the token without the OCTET STRING around its point',
  (spec, generate) => {
    const mechanism = keyMechanisms[spec]!
    const der = generate().export({ format: 'der', type: 'spki' })
    const point = peerPoint(mechanism.curve!, der)
    expect(subjectPublicKeyInfo(mechanism, () => Buffer.from(point))).toEqual(der)
    expect(() => subjectPublicKeyInfo(mechanism, () => point.subarray(1))).toThrow('not a point of its curve')
  },
)

it('of RSA may have leading zeros on the token only', () => {
  const der = rsa(2048)().export({ format: 'der', type: 'spki' })
  const attributes = new Map(publicKeyAttributes(keyMechanisms.RSA_2048!, der))
  expect([...attributes.keys()]).toEqual([pkcs11js.CKA_MODULUS, pkcs11js.CKA_PUBLIC_EXPONENT])
  const padded = (type: number) => Buffer.concat([Buffer.alloc(3), attributes.get(type) as Buffer])
  expect(subjectPublicKeyInfo(keyMechanisms.RSA_2048!, padded)).toEqual(der)
})

it('has a format for every asymmetric key spec of PKCS#11', () => {
  const pairs = Object.keys(keyMechanisms).filter(spec => keySpecs[spec as SupportedKeySpec].type === 'asymmetric')
  expect(pairs).toEqual(rows.map(([spec]) => spec))
})
