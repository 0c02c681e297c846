/** What callers may send in place of wrapped key material, each with the failure that it deserves. */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { integer, nothing, octetString, oid, sequence } from '../../src/hsm/token/der.ts'
import { ecPublicKey, rsaEncryption } from '../../src/hsm/token/public-keys.ts'
import type { SupportedKeySpec } from '../../src/model/keys/key-spec.ts'
import { type WrappingAlgorithm, wrappingAlgorithms } from '../../src/model/keys/wrapping-algorithm.ts'
import { newKeyBytes, pkcs8 } from './hsm-imports.ts'
import { wrapMaterial } from './wrapping.ts'

export interface BadWrapping {
  readonly what: string
  readonly bytes: Buffer
  /** `InvalidCiphertext`: it does not unwrap. `IncorrectKeyMaterial`: it does, but is no key of the spec. */
  readonly code: 'InvalidCiphertext' | 'IncorrectKeyMaterial'
}

/** @param publicKey DER SubjectPublicKeyInfo of the wrapping key. @param material of the spec */
export function badWrappings(
  publicKey: Buffer,
  algorithm: WrappingAlgorithm,
  spec: keyof typeof others,
  material: Buffer,
): readonly BadWrapping[] {
  const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
  const wrong = Object.entries(others[spec](material)).filter(([, bytes]) => fits(key, algorithm, bytes))
  return [
    ...Object.entries(broken(key, publicKey, algorithm, material)).map(
      ([what, bytes]) => ({ what, bytes, code: 'InvalidCiphertext' }) as const,
    ),
    ...wrong.map(([what, other]) => {
      const bytes = wrapMaterial(publicKey, algorithm, other)
      return { what, bytes, code: 'IncorrectKeyMaterial' } as const
    }),
  ]
}

type Bytes = Readonly<Record<string, Buffer>>

/** RFC 8017, section 7.1.1: what RSAES-OAEP encrypts is at least that much shorter than the modulus. */
const oaepOverhead = { sha1: 42, sha256: 66 } as const

function fits(key: KeyObject, algorithm: WrappingAlgorithm, { length }: Buffer): boolean {
  const { hash, usesKeyWrap } = wrappingAlgorithms[algorithm]
  return usesKeyWrap ? length > 0 : length <= key.asymmetricKeyDetails!.modulusLength! / 8 - oaepOverhead[hash]
}

const strangers = generateKeyPairSync('rsa', { modulusLength: 2048 })

function broken(key: KeyObject, publicKey: Buffer, algorithm: WrappingAlgorithm, material: Buffer): Bytes {
  const { hash, usesKeyWrap } = wrappingAlgorithms[algorithm]
  const modulus = key.asymmetricKeyDetails!.modulusLength! / 8
  const good = wrapMaterial(publicKey, algorithm, material)
  const again = wrapMaterial(publicKey, algorithm, material)
  const rest = good.subarray(modulus)
  const plain = usesKeyWrap ? randomBytes(32) : material.subarray(0, modulus - 66)
  const withBlock = (block: Buffer) => Buffer.concat([block, rest])
  return {
    'no bytes': Buffer.alloc(0),
    'one byte': Buffer.alloc(1),
    'a megabyte': Buffer.alloc(2 ** 20),
    'one byte less': good.subarray(0, -1),
    'one byte more': Buffer.concat([good, Buffer.alloc(1)]),
    'the last bit flipped': flipped(good, good.length - 1),
    'a bit of the RSA block flipped': flipped(good, modulus - 1),
    'a block of zeros': withBlock(Buffer.alloc(modulus)),
    'a block not less than the modulus': withBlock(Buffer.alloc(modulus, 255)),
    'another wrapping key': wrapMaterial(spki(strangers.publicKey), algorithm, material),
    'the other hash': wrapMaterial(publicKey, twins[algorithm], material.subarray(0, modulus - 66)),
    'a label': withBlock(publicEncrypt({ key, oaepHash: hash, oaepLabel: Buffer.from('label') }, plain)),
    'another padding': withBlock(publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, plain)),
    ...(usesKeyWrap && {
      'the block alone': good.subarray(0, modulus),
      'eight bytes less': good.subarray(0, -8),
      'key material under another AES key': withBlock(again.subarray(0, modulus)),
      'key material under an AES-128 key': wrapMaterial(publicKey, algorithm, material, randomBytes(16)),
    }),
  }
}

const twins: Readonly<Record<WrappingAlgorithm, WrappingAlgorithm>> = {
  RSAES_OAEP_SHA_1: 'RSAES_OAEP_SHA_256',
  RSAES_OAEP_SHA_256: 'RSAES_OAEP_SHA_1',
  RSA_AES_KEY_WRAP_SHA_1: 'RSA_AES_KEY_WRAP_SHA_256',
  RSA_AES_KEY_WRAP_SHA_256: 'RSA_AES_KEY_WRAP_SHA_1',
}

function flipped(bytes: Buffer, index: number): Buffer {
  return Buffer.from(bytes.with(index, bytes[index]! ^ 1))
}

/** Key material that unwraps, but is no key of the spec. */
const others = {
  SYMMETRIC_DEFAULT: (): Bytes => ({
    'no key at all': Buffer.alloc(0),
    'a byte': randomBytes(1),
    'an AES-128 key': randomBytes(16),
    'an AES-192 key': randomBytes(24),
    '31 bytes': randomBytes(31),
    '33 bytes': randomBytes(33),
    'a private key': newKeyBytes('ECC_NIST_P256'),
  }),
  HMAC_384: (): Bytes => ({
    'no key at all': Buffer.alloc(0),
    '47 bytes': randomBytes(47),
    '129 bytes': randomBytes(129),
    'a key of another spec': randomBytes(28),
  }),
  ECC_NIST_P256: (material: Buffer): Bytes => ({
    ...private8(material, 'sec1'),
    'a key on P-384': newKeyBytes('ECC_NIST_P384'),
    'a key on secp256k1': newKeyBytes('ECC_SECG_P256K1'),
    'a key of Ed25519': newKeyBytes('ECC_NIST_EDWARDS25519'),
    'explicit curve parameters': pkcs8(
      generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).privateKey,
    ),
    'a private number alone': randomBytes(32),
    'a private number of zero': p256Key(Buffer.alloc(32)),
    'a private number that is the order': p256Key(
      Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex'),
    ),
  }),
  RSA_2048: (material: Buffer): Bytes => ({
    ...private8(material, 'pkcs1'),
    'an EC key': newKeyBytes('ECC_NIST_P256'),
    'a shorter key': pkcs8(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey),
    'a public exponent of 3': pkcs8(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey),
    'the public exponent of another key': rsaKey(material, { e: Buffer.from([1, 0, 3]) }),
    'an even modulus': rsaKey(material, { n: Buffer.from([...randomBytes(255).fill(255, 0, 1), 0]) }),
  }),
} as const satisfies Partial<Record<SupportedKeySpec, (material: Buffer) => Bytes>>

/** @param type of private key without PKCS #8 */
function private8(material: Buffer, type: 'sec1' | 'pkcs1'): Bytes {
  const key = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' })
  return {
    'its public key': spki(createPublicKey(key)),
    'a private key without PKCS #8': key.export({ format: 'der', type: type as 'pkcs1' }),
    'a private key that is cut': material.subarray(0, -1),
    'random bytes': randomBytes(material.length),
  }
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' })
}

const version = (number: number) => integer(Buffer.from([number]))

/** Without its public key: RFC 5915, section 3. */
function p256Key(privateNumber: Buffer): Buffer {
  const key = sequence(version(1), octetString(privateNumber))
  return sequence(version(0), sequence(oid(ecPublicKey), oid('2a8648ce3d030107')), octetString(key))
}

/** With some numbers replaced: RFC 8017, appendix A.1.2. */
function rsaKey(material: Buffer, changes: Readonly<Record<string, Buffer>>): Buffer {
  const jwk = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
  const numbers = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map(
    name => changes[name] ?? Buffer.from(String(jwk[name]), 'base64url'),
  )
  const key = sequence(version(0), ...numbers.map(integer))
  return sequence(version(0), sequence(oid(rsaEncryption), nothing()), octetString(key))
}
