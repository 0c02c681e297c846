/** The numbers of an RSA private key: RFC 8017, appendix A.1.2, and what they must satisfy to be a key. */
import { elementsOf, magnitudeOf, tags } from './der.ts'
import { decremented, product, remainder, trimmed } from './magnitudes.ts'

const names = [
  'modulus',
  'publicExponent',
  'privateExponent',
  'prime1',
  'prime2',
  'exponent1',
  'exponent2',
  'coefficient',
] as const

/** Big-endian, without leading zeros. */
export type RsaNumbers = Readonly<Record<(typeof names)[number], Buffer>>

/** Views. Undefined for anything but an RSAPrivateKey of two primes in DER. */
export function rsaNumbersOf(der: Buffer): RsaNumbers | undefined {
  const [whole, ...behind] = elementsOf(der) ?? []
  const parts = whole?.tag === tags.sequence && behind.length === 0 ? elementsOf(whole.value) : undefined
  const numbers = parts?.map(({ tag, value }) => (tag === tags.integer ? magnitudeOf(value) : undefined))
  const [version, ...rest] = numbers ?? []
  if (rest.length !== names.length || version === undefined || trimmed(version).length > 0) return undefined
  if (rest.some(number => number === undefined || trimmed(number).length === 0)) return undefined
  return Object.fromEntries(names.map((name, index) => [name, rest[index]!])) as unknown as RsaNumbers
}

/** Bytes. NIST FIPS 186-5, section A.1.1: odd, more than 2^16 and less than 2^256. */
const exponentLengths = { least: 3, most: 32 }
/** OpenSSL uses no other keys: OPENSSL_RSA_SMALL_MODULUS_BITS and OPENSSL_RSA_MAX_PUBEXP_BITS of its rsa.h. */
const [longModulus, longestForLong] = [384, 8]

/**
 * What is wrong with the numbers that everybody knows. All else about a key in an HSM only the HSM can tell: that its modulus is the product
 * of two primes of half its length, for example.
 */
export function checkRsaPublicNumbers({
  modulus,
  publicExponent,
}: Pick<RsaNumbers, 'modulus' | 'publicExponent'>): string | undefined {
  const { least, most } = exponentLengths
  const isExponent =
    publicExponent.length >= least && publicExponent.length <= most && (publicExponent.at(-1)! & 1) === 1
  if (!isExponent) return 'its public exponent is not an odd number between 2^16 and 2^256'
  if (modulus.length > longModulus && publicExponent.length > longestForLong) {
    return 'its public exponent is greater than 2^64, and its modulus longer than 3072 bits'
  }
  const number = BigInt(`0x${modulus.toString('hex')}`)
  if (hasSmallFactor(number)) return 'its modulus has a small factor'
  if (hasCloseFactors(number)) return 'its modulus is the product of two numbers that are too close to each other'
  return undefined
}

const smallFactors = 2n ** 10n

function hasSmallFactor(number: bigint): boolean {
  if (number % 2n === 0n) return true
  for (let divisor = 3n; divisor < smallFactors; divisor += 2n) if (number % divisor === 0n) return true
  return false
}

/** Fermat's method. It finds them at once, or practically never. */
const rounds = 100n

function hasCloseFactors(number: bigint): boolean {
  const root = squareRoot(number)
  if (root * root === number) return true
  for (let half = root + 1n; half <= root + rounds; half++) {
    const square = half * half - number
    const difference = squareRoot(square)
    if (difference * difference === square) return true
  }
  return false
}

/** Rounded down: Newton's method, from above. */
function squareRoot(number: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(number.toString(16).length / 2) * 4)
  for (;;) {
    const next = (root + number / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

const wrongExponents = 'its exponents or its coefficient do not belong to its modulus'

/**
 * What is wrong with the numbers, for the caller; undefined if nothing. A key of wrong numbers may give its primes away when it signs. That
 * they are primes is not tested, which would take most of the time: with exponents that fit, others fail the proof that follows.
 */
export function checkRsaNumbers(key: RsaNumbers): string | undefined {
  const { modulus, publicExponent, privateExponent, prime1, prime2, exponent1, exponent2, coefficient } = key
  const fault = checkRsaPublicNumbers(key)
  if (fault !== undefined) return fault
  // First, as what follows takes time by the product of the lengths.
  const half = modulus.length / 2
  const isHalf = prime1.length === half && prime2.length === half
  if (!isHalf || prime1.equals(prime2) || !isProduct(modulus, prime1, prime2)) {
    return 'its modulus is not the product of two primes of half its length'
  }
  const isLong = privateExponent.length > modulus.length
  if (isLong || [exponent1, exponent2, coefficient].some(number => number.length > half)) return wrongExponents
  const [order1, order2] = [decremented(prime1), decremented(prime2)]
  try {
    const fits =
      isRemainder(exponent1, privateExponent, order1) &&
      isRemainder(exponent2, privateExponent, order2) &&
      isInverse(publicExponent, exponent1, order1) &&
      isInverse(publicExponent, exponent2, order2) &&
      isInverse(prime2, coefficient, prime1)
    return fits ? undefined : wrongExponents
  } finally {
    order1.fill(0)
    order2.fill(0)
  }
}

function isProduct(number: Buffer, one: Buffer, other: Buffer): boolean {
  return wiped(product(one, other), result => trimmed(result).equals(number))
}

function isRemainder(number: Buffer, dividend: Buffer, divisor: Buffer): boolean {
  return wiped(remainder(dividend, divisor), result => trimmed(result).equals(number))
}

function isInverse(one: Buffer, other: Buffer, modulus: Buffer): boolean {
  return wiped(product(one, other), both =>
    wiped(remainder(both, modulus), result => trimmed(result).equals(Buffer.from([1]))),
  )
}

function wiped(result: Buffer, holds: (result: Buffer) => boolean): boolean {
  try {
    return holds(result)
  } finally {
    result.fill(0)
  }
}
