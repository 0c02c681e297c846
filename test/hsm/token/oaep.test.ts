import {
  constants,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { unpadOaep } from '../../../src/hsm/token/oaep.ts'
import { bytes, expectOutcomes, vectors } from '../vectors.ts'

const hashLength = 32
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest()

/** Exclusive or with MGF1-SHA256: RFC 8017, appendix B.2.1. */
function masked(target: Buffer, seed: Buffer): Buffer {
  const blocks = Array.from({ length: Math.ceil(target.length / hashLength) }, (_, i) =>
    sha256(Buffer.concat([seed, Buffer.from([0, 0, 0, i])])),
  )
  const mask = Buffer.concat(blocks)
  return Buffer.from(target.map((byte, i) => byte ^ mask[i]!))
}

/** Steps 2.e to 2.i of RFC 8017, section 7.1.1, on a data block of one's own choice. */
function encode(block: Buffer, first = 0): Buffer {
  const seed = Buffer.alloc(hashLength, 's')
  const maskedBlock = masked(block, seed)
  return Buffer.concat([Buffer.from([first]), masked(seed, maskedBlock), maskedBlock])
}

const labelHash = sha256(Buffer.alloc(0))
const blockLength = 256 - 1 - hashLength

function block(...parts: Buffer[]): Buffer {
  const start = Buffer.concat(parts)
  return Buffer.concat([start, Buffer.alloc(blockLength - start.length, 'm')])
}

describe('the padding of OAEP', () => {
  it('is removed from valid published blocks only', async () => {
    const cases = vectors<'privateKeyPkcs8' | 'msg' | 'ct' | 'label'>('rsa-oaep/sha256')
    await expectOutcomes(
      // The rest does not get past RSA itself.
      cases.filter(({ flags }) => !flags.includes('InvalidCiphertext')),
      ({ result, label, msg }) => (result === 'valid' && label === '' ? msg : 'none'),
      ({ privateKeyPkcs8, ct }) => {
        const key = createPrivateKey({ key: bytes(privateKeyPkcs8), format: 'der', type: 'pkcs8' })
        const encoded = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, bytes(ct))
        return unpadOaep('sha256', encoded)?.toString('hex') ?? 'none'
      },
    )
  })

  it.each([2048, 3072, 4096])('is removed from what OpenSSL encrypts for %i bits, of every length', modulusLength => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength })
    const maxLength = modulusLength / 8 - 2 * hashLength - 2
    fc.assert(
      fc.property(fc.uint8Array({ maxLength }), fc.constantFrom('sha1', 'sha256'), (message, oaepHash) => {
        const ciphertext = publicEncrypt({ key: publicKey, oaepHash }, message)
        const encoded = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, ciphertext)
        expect(unpadOaep(oaepHash, encoded)).toEqual(Buffer.from(message))
      }),
      {
        numRuns: 20,
        examples: [
          [new Uint8Array(), 'sha1'],
          [new Uint8Array(maxLength).fill(1), 'sha256'],
        ],
      },
    )
  })

  const one = Buffer.from([1])
  it('ends at the first 1, even if the message begins with more of them', () => {
    expect(unpadOaep('sha256', encode(block(labelHash, Buffer.alloc(7), one, one, one)))?.subarray(0, 3)).toEqual(
      Buffer.from([1, 1, 'm'.charCodeAt(0)]),
    )
    expect(unpadOaep('sha256', encode(block(labelHash, one)))).toEqual(Buffer.alloc(blockLength - hashLength - 1, 'm'))
    expect(unpadOaep('sha256', encode(block(labelHash, Buffer.alloc(blockLength - hashLength - 1), one)))).toEqual(
      Buffer.alloc(0),
    )
  })

  const wrong: Readonly<Record<string, Buffer>> = {
    'a first byte that is not 0': encode(block(labelHash, one), 1),
    'a first byte of 255': encode(block(labelHash, one), 255),
    'the hash of a label': encode(block(sha256(Buffer.from('label')), one)),
    'one bit of the hash of the label': encode(block(Buffer.from(labelHash.with(31, labelHash[31]! ^ 1)), one)),
    'no 1 at all': encode(block(labelHash, Buffer.alloc(blockLength - hashLength))),
    'a 2 before the 1': encode(block(labelHash, Buffer.from([0, 2, 1]))),
    'a 255 instead of the 1': encode(block(labelHash, Buffer.from([0, 255]))),
    'a seed that was changed': Buffer.from(encode(block(labelHash, one)).map((byte, i) => (i === 1 ? byte ^ 1 : byte))),
    'nothing but zeros': Buffer.alloc(256),
    'too few bytes for any padding': Buffer.alloc(2 * hashLength + 1),
    'no bytes': Buffer.alloc(0),
  }
  it.each(Object.entries(wrong))('is invalid with %s', (_, encoded) => {
    expect(unpadOaep('sha256', encoded)).toBe(undefined)
  })

  it('leaves nothing of its input in memory, whether valid or not', () => {
    for (const encoded of [encode(block(labelHash, one)), encode(block(labelHash, one), 1)]) {
      unpadOaep('sha256', encoded)
      expect(encoded.equals(Buffer.alloc(256))).toBe(true)
    }
  })
})
