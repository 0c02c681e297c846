import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Failure } from '../../../src/errors.ts'
import { element, elementsOf, integer, octetString, oid, sequence } from '../../../src/hsm/token/der.ts'
import { readKeyMaterial } from '../../../src/hsm/token/key-material.ts'
import { decremented, product, remainder, trimmed } from '../../../src/hsm/token/magnitudes.ts'
import { keyMechanisms } from '../../../src/hsm/token/mechanisms.ts'
import type { SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { newKeyBytes, pkcs8 } from '../../contracts/hsm-imports.ts'

function read(spec: SupportedKeySpec, bytes: Buffer) {
  return readKeyMaterial(spec, keyMechanisms[spec]!, bytes)
}

function reasonOf(spec: SupportedKeySpec, bytes: Buffer): string {
  try {
    read(spec, bytes)
  } catch (error) {
    const { code, message } = error as Failure
    expect(code).toBe('IncorrectKeyMaterial')
    return message.slice('The key material is invalid: '.length, -1)
  }
  return 'none'
}

const big = (magnitude: Buffer) => BigInt(`0x0${magnitude.toString('hex')}`)
const magnitude = (least = 1) => fc.uint8Array({ minLength: least, maxLength: 40 }).map(bytes => Buffer.from(bytes))

describe('arithmetic with magnitudes', () => {
  it('agrees with BigInt', () => {
    fc.assert(
      fc.property(magnitude(), magnitude(), (one, other) => {
        expect(big(product(one, other))).toBe(big(one) * big(other))
        if (big(other) === 0n) return
        expect(big(remainder(one, other))).toBe(big(one) % big(other))
        expect(big(decremented(other))).toBe(big(other) - 1n)
        expect(big(trimmed(other))).toBe(big(other))
        expect(trimmed(other)[0]).not.toBe(0)
      }),
    )
  })
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
const rsaEncryption = sequence(oid('2a864886f70d010101'), element(5))

type Numbers = Pick<JsonWebKey, 'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi'>
const bytesOf = (number: string | undefined) => Buffer.from(number!, 'base64url')
const text = (number: bigint) => {
  const digits = number.toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex').toString('base64url')
}

function rsaDer(changed: Partial<Numbers> = {}, { version = 0, behind = [] as Buffer[] } = {}): Buffer {
  const { n, e, d, p, q, dp, dq, qi } = { ...rsa, ...changed }
  const numbers = [n, e, d, p, q, dp, dq, qi].map(number => integer(bytesOf(number)))
  const key = sequence(integer(Buffer.from([version])), ...numbers, ...behind)
  return sequence(integer(Buffer.from([0])), Buffer.from(rsaEncryption), octetString(key))
}

/** Of the same primes. */
function withExponent(e: bigint): Partial<Numbers> {
  const [p, q] = [big(bytesOf(rsa.p)), big(bytesOf(rsa.q))]
  const order = (p - 1n) * (q - 1n)
  const d = inverse(e, order)
  return { e: text(e), d: text(d), dp: text(d % (p - 1n)), dq: text(d % (q - 1n)) }
}

function inverse(number: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [modulus, number % modulus, 0n, 1n]
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return ((x % modulus) + modulus) % modulus
}

const mismatch = 'its public key is that of another private key'
/** Version 2: RFC 5958. */
function withPublicKey(der: Buffer, { n, e }: JsonWebKey): Buffer {
  const publicKey = sequence(integer(bytesOf(n)), integer(bytesOf(e)))
  const [version, algorithm, key] = elementsOf(elementsOf(der)![0]!.value)!.map(({ tag, value }) =>
    element(tag, Buffer.from(value)),
  )
  return sequence(version!, algorithm!, key!, element(0x81, Buffer.alloc(1), publicKey))
}

const exponent = 'its public exponent is not an odd number between 2^16 and 2^256'
const numbers = 'its exponents or its coefficient do not belong to its modulus'
const modulus = 'its modulus is not the product of two primes of half its length'
const notPkcs8 = 'it is not a private key in DER, PKCS #8'

describe('RSA key material', () => {
  it('is taken as OpenSSL writes it, with attributes and other public exponents too, and comes with its public key', () => {
    const attributes = element(0xa0)
    const wider = Buffer.concat([rsaDer(), attributes])
    const whole = sequence(...Array.from([wider.subarray(4)], part => Buffer.from(part)))
    for (const der of [
      pkcs8(createPrivateKey({ key: rsa, format: 'jwk' })),
      rsaDer(),
      whole,
      withPublicKey(rsaDer(), rsa),
    ]) {
      const { publicKey } = read('RSA_2048', der)
      const expected = createPublicKey({ key: { kty: 'RSA', n: rsa.n!, e: rsa.e! }, format: 'jwk' })
      expect(publicKey).toEqual(expected.export({ format: 'der', type: 'spki' }))
    }
    expect(reasonOf('RSA_2048', rsaDer(withExponent(65_539n)))).toBe('none')
  })

  it('is read without a change of the bytes given, so that a retry finds them', () => {
    const der = rsaDer()
    const before = Buffer.from(der)
    read('RSA_2048', der)
    expect(der).toEqual(before)
  })

  const next = (number: string | undefined) => text(big(bytesOf(number)) + 2n)
  // biome-ignore format: a table
  const wrong: Readonly<Record<string, readonly [string, () => Buffer]>> = {
    'a public exponent of 3':        [exponent, () => rsaDer({ e: text(3n) })],
    'an even public exponent':       [exponent, () => rsaDer({ e: text(65_538n) })],
    'a huge public exponent':        [exponent, () => rsaDer({ e: text(2n ** 256n + 1n) })],
    'another public exponent':       [numbers,  () => rsaDer({ e: text(65_539n) })],
    'another private exponent':      [numbers,  () => rsaDer({ d: next(rsa.d) })],
    'another first exponent':        [numbers,  () => rsaDer({ dp: next(rsa.dp) })],
    'another second exponent':       [numbers,  () => rsaDer({ dq: next(rsa.dq) })],
    'another coefficient':           [numbers,  () => rsaDer({ qi: next(rsa.qi) })],
    'a huge private exponent':       [numbers,  () => rsaDer({ d: text(2n ** 200_000n) })],
    'a huge coefficient':            [numbers,  () => rsaDer({ qi: text(2n ** 200_000n) })],
    'huge primes':                   [modulus,  () => rsaDer({ p: text(2n ** 120_000n), q: text(2n ** 120_000n + 1n) })],
    'the public key of another':     [mismatch, () => withPublicKey(rsaDer(), otherRsa)],
    'swapped exponents':             [numbers,  () => rsaDer({ dp: rsa.dq!, dq: rsa.dp! })],
    'swapped primes':                [numbers,  () => rsaDer({ p: rsa.q!, q: rsa.p! })],
    'another modulus':               [modulus,  () => rsaDer({ n: otherRsa.n! })],
    'another prime':                 [modulus,  () => rsaDer({ p: otherRsa.p! })],
    'one prime twice':               [modulus,  () => rsaDer({ q: rsa.p! })],
    'a prime of 1':                  [modulus,  () => rsaDer({ p: rsa.n!, q: text(1n) })],
    'a coefficient of 0':            [notPkcs8, () => rsaDer({ qi: text(0n) })],
    'three primes':                  [notPkcs8, () => rsaDer({}, { version: 1, behind: [sequence()] })],
    'the version of three primes':   [notPkcs8, () => rsaDer({}, { version: 1 })],
    'bytes behind it':               [notPkcs8, () => Buffer.concat([rsaDer(), Buffer.alloc(1)])],
    'a missing byte':                [notPkcs8, () => rsaDer().subarray(0, -1)],
    'nothing':                       [notPkcs8, () => Buffer.alloc(0)],
    'a public key':                  [notPkcs8, () => createPublicKey(createPrivateKey({ key: rsa, format: 'jwk' })).export({ format: 'der', type: 'spki' })],
    'PKCS #1':                       [notPkcs8, () => createPrivateKey({ key: rsa, format: 'jwk' }).export({ format: 'der', type: 'pkcs1' })],
    'PEM':                           [notPkcs8, () => Buffer.from(createPrivateKey({ key: rsa, format: 'jwk' }).export({ format: 'pem', type: 'pkcs8' }) as string)],
    'an encrypted key':              [notPkcs8, () => createPrivateKey({ key: rsa, format: 'jwk' }).export({ format: 'der', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'secret' })],
    'an EC key':                     ['it is not an RSA key', () => newKeyBytes('ECC_NIST_P256')],
    'an RSA-PSS key':                ['it is not an RSA key', () => pkcs8(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey)],
  }
  it.each(Object.entries(wrong))('is refused with %s', (_, [reason, make]) => {
    expect(reasonOf('RSA_2048', make())).toBe(reason)
  })

  it('is refused for another size, and says which it is', () => {
    const der = rsaDer()
    expect(reasonOf('RSA_3072', der)).toBe('a key of key spec RSA_3072 has no modulus of 2048 bits')
  })
})

/** SEC 2, sections 2.4 to 2.6; NIST SP 800-186, section 3.2.1. */
const orders = {
  'P-256': 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  'P-384': 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'P-521':
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
  secp256k1: 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141',
} as const

const curves = [
  ['ECC_NIST_P256', 'P-256', '2a8648ce3d030107'],
  ['ECC_NIST_P384', 'P-384', '2b81040022'],
  ['ECC_NIST_P521', 'P-521', '2b81040023'],
  ['ECC_SECG_P256K1', 'secp256k1', '2b8104000a'],
] as const

describe.each(curves)('EC key material for %s', (spec, name, curveOid) => {
  const length = keyMechanisms[spec]!.curve!.coordinate
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: name })
  const d = bytesOf(privateKey.export({ format: 'jwk' }).d)
  const point = createPublicKey(privateKey)
    .export({ format: 'der', type: 'spki' })
    .subarray(-(2 * length + 1))
  const otherPoint = createPublicKey(generateKeyPairSync('ec', { namedCurve: name }).privateKey)
    .export({ format: 'der', type: 'spki' })
    .subarray(-(2 * length + 1))
  const compressed = Buffer.concat([Buffer.from([2 + (point.at(-1)! & 1)]), point.subarray(1, 1 + length)])

  interface Parts {
    readonly number?: Buffer
    readonly point?: Buffer
    readonly innerCurve?: string
    readonly curve?: Buffer
    readonly version?: number
  }

  function der(parts: Parts = {}): Buffer {
    const stated = parts.point ? [element(0xa1, element(3, Buffer.alloc(1), Buffer.from(parts.point)))] : []
    const inner = parts.innerCurve === undefined ? [] : [element(0xa0, oid(parts.innerCurve))]
    const version = integer(Buffer.from([parts.version ?? 1]))
    const key = sequence(version, octetString(Buffer.from(parts.number ?? d)), ...inner, ...stated)
    const algorithm = sequence(oid('2a8648ce3d0201'), parts.curve ?? oid(curveOid))
    return sequence(integer(Buffer.from([0])), algorithm, octetString(key))
  }

  it('is taken with or without its public key, in whatever form, and comes with it', () => {
    const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
    for (const bytes of [
      pkcs8(privateKey),
      der(),
      der({ point }),
      der({ point: compressed }),
      der({ innerCurve: curveOid, point }),
    ]) {
      const before = Buffer.from(bytes)
      const object = read(spec, bytes)
      expect(object.publicKey).toEqual(publicKey)
      expect(bytes).toEqual(before)
      const again = createPrivateKey({ key: object.wrapped, format: 'der', type: 'pkcs8' })
      expect(again.equals(privateKey)).toBe(true)
    }
  })

  const order = Buffer.from(orders[name], 'hex')
  // biome-ignore format: a table
  const wrong: Readonly<Record<string, readonly [string, () => Buffer]>> = {
    'the public key of another':     [mismatch, () => der({ point: otherPoint })],
    'a point of no curve':           ['its public key is not a point of its curve', () => der({ point: Buffer.concat([point.subarray(0, -1), Buffer.from([point.at(-1)! ^ 1])]) })],
    'a private number of 0':         ['its private number is out of range', () => der({ number: Buffer.alloc(length) })],
    'the order as private number':   ['its private number is out of range', () => der({ number: order })],
    'a number that is too long':     [`its private number has ${length + 1} bytes, not ${length}`, () => der({ number: Buffer.concat([Buffer.alloc(1), d]) })],
    'a number that is too short':    [`its private number has ${length - 1} bytes, not ${length}`, () => der({ number: d.subarray(1) })],
    'two curves':                    ['it names two curves', () => der({ innerCurve: curveOid === '2b81040022' ? '2b81040023' : '2b81040022' })],
    'another version':               [notPkcs8, () => der({ version: 2 })],
    'explicit parameters':           ['its curve is not named', () => der({ curve: sequence(integer(Buffer.from([1]))) })],
    'an RSA key':                    [`it is not a key of key spec ${spec}`, () => rsaDer()],
    'SEC 1':                         [notPkcs8, () => privateKey.export({ format: 'der', type: 'sec1' }) as Buffer],
  }
  it.each(Object.entries(wrong))('is refused with %s', (_, [reason, make]) => {
    expect(reasonOf(spec, make())).toBe(reason)
  })

  it('is refused for every other curve', () => {
    for (const [other] of curves.filter(([other]) => other !== spec)) {
      expect(reasonOf(other, der())).toBe(`its curve is not that of key spec ${other}`)
    }
  })
})

describe('Ed25519 key material', () => {
  const spec = 'ECC_NIST_EDWARDS25519'
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = pkcs8(privateKey).subarray(-32)
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const der = (key: Buffer, ...behind: Buffer[]) =>
    sequence(integer(Buffer.from([1])), sequence(oid('2b6570')), octetString(key), ...behind)
  const stated = (key: Buffer) => element(0x81, Buffer.alloc(1), Buffer.from(key))

  it('is taken with or without its public key, and comes with it', () => {
    for (const bytes of [pkcs8(privateKey), der(octetString(Buffer.from(seed)), stated(point))]) {
      expect(read(spec, bytes).publicKey).toEqual(publicKey.export({ format: 'der', type: 'spki' }))
    }
  })

  it('is refused with the public key of another, another length, or another algorithm', () => {
    expect(reasonOf(spec, der(octetString(Buffer.from(seed)), stated(randomBytes(32))))).toBe(mismatch)
    expect(reasonOf(spec, der(octetString(randomBytes(33))))).toBe('its private key has 33 bytes, not 32')
    expect(reasonOf(spec, der(randomBytes(32)))).toBe(notPkcs8)
    const x25519 = pkcs8(generateKeyPairSync('x25519').privateKey)
    expect(reasonOf(spec, x25519)).toBe(`it is not a key of key spec ${spec}`)
  })
})

describe('key material', () => {
  it('is refused, never misread, whatever byte of it is changed', () => {
    for (const spec of ['RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_EDWARDS25519'] as const) {
      const whole = newKeyBytes(spec)
      const { publicKey } = read(spec, Buffer.from(whole))
      fc.assert(
        fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (index, change) => {
          const changed = Buffer.from(whole)
          changed[index]! ^= change
          try {
            // A seed is a key whatever it is, and so is a number without its public key.
            if (spec === 'ECC_NIST_EDWARDS25519' && index >= whole.length - 32) return
            expect(read(spec, changed).publicKey).toEqual(publicKey)
          } catch (error) {
            expect((error as Failure).code).toBe('IncorrectKeyMaterial')
          }
        }),
        { numRuns: 150 },
      )
    }
  })

  it('of any bytes is refused, and of ML-DSA and ML-KEM is not supported', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        for (const spec of ['RSA_2048', 'ECC_NIST_P521', 'ECC_NIST_EDWARDS25519'] as const)
          expect(reasonOf(spec, Buffer.from(bytes))).not.toBe('none')
      }),
    )
    expect(() => read('ML_DSA_44', Buffer.alloc(32))).toThrow('Key material of key spec ML_DSA_44 cannot be imported.')
  })
})
