/** Private keys of data key pairs: from the attributes of a session object to DER PrivateKeyInfo (RFC 5208, section 5). */
import pkcs11js from 'pkcs11js'
import { CryptokiError } from '../return-codes.ts'
import { element, integer, nothing, octetString, oid, sequence } from './der.ts'
import type { KeyMechanism } from './mechanisms.ts'
import { curveAlgorithm, rsaEncryption } from './public-keys.ts'

type Read = (attribute: number) => Buffer

const version = (number: number) => integer(Buffer.from([number]))

/** PKCS#11 v3.2, section 6.68. */
const CKA_SEED = 0x637
/** Context-specific, primitive: [0] IMPLICIT. */
const seedTag = 0x80

export function privateKeyInfo({ curve, algorithmOid }: KeyMechanism, read: Read): Buffer {
  if (algorithmOid !== undefined) {
    return sequence(version(0), sequence(oid(algorithmOid)), octetString(seedOrExpandedKey(read)))
  }
  if (curve === undefined) {
    return sequence(version(0), sequence(oid(rsaEncryption), nothing()), octetString(rsaPrivateKey(read)))
  }
  const value = padded(read(pkcs11js.CKA_VALUE), curve.coordinate)
  const key = curve.form === 'Edwards' ? octetString(value) : sequence(version(1), octetString(value))
  return sequence(version(0), curveAlgorithm(curve), octetString(key))
}

/** Of ML-KEM, in the form of RFC 9881, section 6. The seed is preferred, but a token need not report it. */
function seedOrExpandedKey(read: Read): Buffer {
  const seed = optional(() => read(CKA_SEED))
  return seed === undefined || seed.length === 0 ? octetString(read(pkcs11js.CKA_VALUE)) : element(seedTag, seed)
}

function optional(read: () => Buffer): Buffer | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CryptokiError && error.returnCode === 'CKR_ATTRIBUTE_TYPE_INVALID') return undefined
    throw error
  }
}

/** RFC 8017, appendix A.1.2. */
function rsaPrivateKey(read: Read): Buffer {
  const numbers = [
    pkcs11js.CKA_MODULUS,
    pkcs11js.CKA_PUBLIC_EXPONENT,
    pkcs11js.CKA_PRIVATE_EXPONENT,
    pkcs11js.CKA_PRIME_1,
    pkcs11js.CKA_PRIME_2,
    pkcs11js.CKA_EXPONENT_1,
    pkcs11js.CKA_EXPONENT_2,
    pkcs11js.CKA_COEFFICIENT,
  ].map(attribute => integerOf(read(attribute)))
  return sequence(version(0), ...numbers)
}

/** Wipes what was read. */
function integerOf(magnitude: Buffer): Buffer {
  const encoded = integer(magnitude)
  magnitude.fill(0)
  return encoded
}

/** Tokens omit leading zeros, which RFC 5915, section 3, requires. Wipes the value. */
function padded(value: Buffer, length: number): Buffer {
  const whole = Buffer.alloc(length)
  value.copy(whole, length - value.length)
  value.fill(0)
  return whole
}
