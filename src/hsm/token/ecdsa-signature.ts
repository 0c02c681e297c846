/**
 * ECDSA signatures: r and s concatenated in PKCS#11 (v2.40, section 2.3.1), DER in KMS (RFC 3279, section 2.2.3).
 */
import { integer, sequence, twoIntegers } from './der.ts'

export function ecdsaToDer(signature: Buffer): Buffer {
  const half = signature.length / 2
  return sequence(integer(signature.subarray(0, half)), integer(signature.subarray(half)))
}

/** Undefined unless it is DER of two numbers of at most that many bytes. */
export function ecdsaFromDer(der: Buffer, bytes: number): Buffer | undefined {
  const numbers = twoIntegers(der)
  if (numbers === undefined || numbers.some(({ length }) => length > bytes)) return undefined
  const signature = Buffer.alloc(2 * bytes)
  numbers.forEach((number, index) => {
    signature.set(number, (index + 1) * bytes - number.length)
  })
  return signature
}
