/**
 * Removes the padding of RSAES-OAEP (RFC 8017, section 7.1.2, step 3) with the same hash in MGF1, for tokens that support RSA but not this
 * padding.
 */
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import type { OaepHash } from '../public-key-crypto.ts'

/** With that of the empty label. */
const hashes = {
  sha1: { hash: sha1, labelHash: sha1(new Uint8Array()) },
  sha256: { hash: sha256, labelHash: sha256(new Uint8Array()) },
} as const
type Hash = (typeof hashes)[OaepHash]['hash']

/**
 * Constant time: reads every byte, and branches in the last line only. Neither the result nor its timing may reveal which step failed
 * (Manger, CRYPTO 2001).
 *
 * @param encoded the decrypted block, as long as the modulus; wiped
 * @returns the message; undefined when there is none
 */
export function unpadOaep(name: OaepHash, encoded: Buffer): Buffer | undefined {
  const { hash, labelHash } = hashes[name]
  const hashLength = labelHash.length
  if (encoded.length < 2 * hashLength + 2) return undefined
  const seed = encoded.subarray(1, 1 + hashLength)
  const block = encoded.subarray(1 + hashLength)
  mask(hash, seed, block)
  mask(hash, block, seed)
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

/** Exclusive or with MGF1 of the seed: RFC 8017, appendix B.2.1. */
function mask(hash: Hash, target: Buffer, seed: Buffer): void {
  const input = Buffer.alloc(seed.length + 4)
  input.set(seed)
  for (let offset = 0; offset < target.length; offset += hash.outputLen) {
    input.writeUInt32BE(offset / hash.outputLen, seed.length)
    const block = hash(input)
    for (let i = 0; i < hash.outputLen && offset + i < target.length; i++) target[offset + i]! ^= block[i]!
    block.fill(0)
  }
  input.fill(0)
}

/** 1 or 0, of two bytes, without a branch. */
function equals(a: number, b: number): number {
  return (((a ^ b) - 1) >> 8) & 1
}
