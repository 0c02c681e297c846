/**
 * Removes the padding of RSAES-OAEP with SHA-256 and MGF1-SHA256 (RFC 8017, section 7.1.2, step 3), for tokens that support RSA but
 * not this padding.
 */
import { sha256 } from '@noble/hashes/sha2.js'

const hashLength = 32
/** Of the empty label. */
const labelHash = sha256(new Uint8Array())

/**
 * Constant time: reads every byte, and branches in the last line only. Neither the result nor its timing may reveal which step failed
 * (Manger, CRYPTO 2001).
 *
 * @param encoded the decrypted block, as long as the modulus; wiped
 * @returns the message; undefined when there is none
 */
export function unpadOaepSha256(encoded: Buffer): Buffer | undefined {
  if (encoded.length < 2 * hashLength + 2) return undefined
  const seed = encoded.subarray(1, 1 + hashLength)
  const block = encoded.subarray(1 + hashLength)
  mask(seed, block)
  mask(block, seed)
  let wrong = encoded[0]!
  for (let i = 0; i < hashLength; i++) wrong |= block[i]! ^ labelHash[i]!
  let separated = 0
  let separator = 0
  for (let i = hashLength; i < block.length; i++) {
    const isZero = equals(block[i]!, 0)
    const isOne = equals(block[i]!, 1)
    const isPadding = separated ^ 1
    separator |= -(isPadding & isOne) & i
    wrong |= isPadding & (isZero ^ 1) & (isOne ^ 1)
    separated |= isOne
  }
  const message = Buffer.from(block.subarray(separator + 1))
  encoded.fill(0)
  if ((wrong | (separated ^ 1)) === 0) return message
  message.fill(0)
  return undefined
}

/** Exclusive or with MGF1-SHA256 of the seed: RFC 8017, appendix B.2.1. */
function mask(target: Buffer, seed: Buffer): void {
  const input = Buffer.alloc(seed.length + 4)
  input.set(seed)
  for (let offset = 0; offset < target.length; offset += hashLength) {
    input.writeUInt32BE(offset / hashLength, seed.length)
    const block = sha256(input)
    for (let i = 0; i < hashLength && offset + i < target.length; i++) target[offset + i]! ^= block[i]!
    block.fill(0)
  }
  input.fill(0)
}

/** 1 or 0, of two bytes, without a branch. */
function equals(a: number, b: number): number {
  return (((a ^ b) - 1) >> 8) & 1
}
