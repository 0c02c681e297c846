/** Private keys of data key pairs: from the attributes of a session object to DER PrivateKeyInfo (RFC 5208, section 5). */
import pkcs11js from 'pkcs11js'
import { integer, nothing, octetString, oid, sequence } from './der.ts'
import type { KeyMechanism } from './mechanisms.ts'
import { curveAlgorithm, rsaEncryption } from './public-keys.ts'

type Read = (attribute: number) => Buffer

const version = (number: number) => integer(Buffer.from([number]))

export function privateKeyInfo({ curve }: KeyMechanism, read: Read): Buffer {
  if (curve === undefined) {
    return sequence(version(0), sequence(oid(rsaEncryption), nothing()), octetString(rsaPrivateKey(read)))
  }
  const value = padded(read(pkcs11js.CKA_VALUE), curve.coordinate)
  const key = curve.form === 'Edwards' ? octetString(value) : sequence(version(1), octetString(value))
  return sequence(version(0), curveAlgorithm(curve), octetString(key))
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

/** Tokens leave out leading zeros; RFC 5915, section 3, does not. Wipes what it is given. */
function padded(value: Buffer, length: number): Buffer {
  const whole = Buffer.alloc(length)
  value.copy(whole, length - value.length)
  value.fill(0)
  return whole
}
