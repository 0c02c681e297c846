/** What the public numbers of an RSA key tell, where an HSM has the private ones. */
import { checkPrimeSync, generateKeyPairSync, generatePrimeSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkRsaPublicNumbers } from '../../../src/hsm/token/rsa-numbers.ts'

function bytesOf(number: bigint): Buffer {
  const digits = number.toString(16)
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
}

const f4 = 65_537n
const check = (modulus: bigint, exponent: bigint) =>
  checkRsaPublicNumbers({ modulus: bytesOf(modulus), publicExponent: bytesOf(exponent) })

const prime = generatePrimeSync(512, { bigint: true })
const other = generatePrimeSync(512, { bigint: true })
const good = prime * other

function primeAfter(number: bigint): bigint {
  let next = number + 2n
  while (!checkPrimeSync(next)) next += 2n
  return next
}

describe('the public numbers of an RSA key', () => {
  it.each([2048, 3072])('are sound if OpenSSL has made a key of %i bits', modulusLength => {
    const { n, e } = generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' })
    const [modulus, publicExponent] = [Buffer.from(n!, 'base64url'), Buffer.from(e!, 'base64url')]
    expect(checkRsaPublicNumbers({ modulus, publicExponent })).toBeUndefined()
  })

  const factor = 'its modulus has a small factor'
  const close = 'its modulus is the product of two numbers that are too close to each other'
  const exponent = 'its public exponent is not an odd number between 2^16 and 2^256'
  it.each([
    ['an even modulus', factor, good - 1n, f4],
    ['a factor of 3', factor, good * 3n, f4],
    ['a factor of 1021', factor, good * 1021n, f4],
    ['a prime twice', close, prime * prime, f4],
    ['the next prime', close, prime * primeAfter(prime), f4],
    ['a prime at a distance of a quarter of the digits', close, prime * primeAfter(prime + 2n ** 250n), f4],
    ['a public exponent of 1', exponent, good, 1n],
    ['a public exponent of 3', exponent, good, 3n],
    ['an even public exponent', exponent, good, f4 + 1n],
    ['a huge public exponent', exponent, good, 2n ** 256n + 1n],
    [
      'a large public exponent and a long modulus, which OpenSSL does not verify with',
      'its public exponent is greater than 2^64, and its modulus longer than 3072 bits',
      good ** 4n,
      2n ** 64n + 13n,
    ],
  ] as const)('are refused with %s', (_, reason, modulus, publicExponent) => {
    expect(check(modulus, publicExponent)).toBe(reason)
  })

  it('are not refused for a large exponent alone', () => {
    expect(check(good, 2n ** 255n + 95n)).toBeUndefined()
  })
})
