/**
 * The content of a backup in chunks, each encrypted and authenticated by AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway
 * and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015), as in age and Tink: the IV is the number
 * of the chunk, and says which one is the last. So chunks can be neither changed, reordered, left out nor repeated, and the end cannot be cut
 * off. The key is used for one backup only.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { OperatorError } from '../errors.ts'

/** Bytes of a chunk before it is sealed; only the last one is shorter, and never empty unless it is the only one. */
const chunkLength = 65_536
const tagLength = 16
const cipher = 'aes-256-gcm'

/** @param header authenticated with each chunk */
export async function* seal(
  key: Uint8Array,
  header: Uint8Array,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let number = 0
  for await (const { bytes, isLast } of chunksOf(content, chunkLength)) {
    const sealing = createCipheriv(cipher, key, ivOf(number++, isLast)).setAAD(header)
    yield Buffer.concat([sealing.update(bytes), sealing.final(), sealing.getAuthTag()])
  }
}

/** Yields only what is authentic. Throws OperatorError. */
export async function* unseal(
  key: Uint8Array,
  header: Uint8Array,
  sealed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let number = 0
  for await (const { bytes, isLast } of chunksOf(sealed, chunkLength + tagLength)) {
    const chunk = open(key, header, bytes, ivOf(number, isLast))
    if (chunk === undefined) {
      const isCut = isLast && open(key, header, bytes, ivOf(number, false)) !== undefined
      throw new OperatorError(
        isCut
          ? 'the backup is truncated: its end is missing'
          : `the backup is damaged, or has been tampered with: chunk ${number} is not authentic`,
      )
    }
    yield chunk
    number++
  }
}

/** Undefined if it is not authentic. */
function open(key: Uint8Array, header: Uint8Array, bytes: Buffer, iv: Buffer): Buffer | undefined {
  if (bytes.length < tagLength) return undefined
  const opening = createDecipheriv(cipher, key, iv, { authTagLength: tagLength }).setAAD(header)
  opening.setAuthTag(bytes.subarray(-tagLength))
  try {
    return Buffer.concat([opening.update(bytes.subarray(0, -tagLength)), opening.final()])
  } catch {
    return undefined
  }
}

/** 12 bytes: the number, big-endian, and 1 for the last chunk. */
function ivOf(number: number, isLast: boolean): Buffer {
  const iv = Buffer.alloc(12)
  iv.writeUIntBE(number, 5, 6)
  iv[11] = isLast ? 1 : 0
  return iv
}

interface Chunk {
  readonly bytes: Buffer
  readonly isLast: boolean
}

async function* chunksOf(source: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Chunk> {
  let pending = Buffer.alloc(0)
  for await (const part of source) {
    pending = Buffer.concat([pending, part])
    // A full chunk may be the last one.
    while (pending.length > length) {
      yield { bytes: pending.subarray(0, length), isLast: false }
      pending = pending.subarray(length)
    }
  }
  yield { bytes: pending, isLast: true }
}
