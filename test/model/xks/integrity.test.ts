import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ciphertextDataIntegrityValue, hsmAad, sampleProxyAad } from '../../../src/model/xks/integrity.ts'
import { vectors } from '../../hsm/vectors.ts'

const published = vectors<
  | 'additionalAuthenticatedData'
  | 'ciphertextMetadata'
  | 'initializationVector'
  | 'ciphertext'
  | 'authenticationTag'
  | 'ciphertextDataIntegrityValue'
  | 'hsmAad'
>('xks/cdiv').map(vector => ({
  vector,
  aad: Buffer.from(vector.additionalAuthenticatedData, 'base64'),
  metadata: Buffer.from(vector.ciphertextMetadata, 'base64'),
  iv: Buffer.from(vector.initializationVector, 'base64'),
  ciphertext: Buffer.from(vector.ciphertext, 'base64'),
  tag: Buffer.from(vector.authenticationTag, 'base64'),
}))

const aad = fc.uint8Array({ maxLength: 300 })
const metadata = fc.uint8Array({ maxLength: 20 })
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('the AAD for the HSM', () => {
  it.each(published)('is that of the specification: $vector.comment', ({ vector, aad, metadata }) => {
    expect(hex(hsmAad(aad, metadata))).toBe(vector.hsmAad)
  })

  it.each([
    [undefined, undefined, '000000'],
    [new Uint8Array(), new Uint8Array(), '000000'],
    [undefined, Buffer.from('ab', 'hex'), '000001ab'],
    [Buffer.from('ab', 'hex'), undefined, '0001ab00'],
  ])('has a length of 0 for what is absent or empty: %#', (aad, metadata, expected) => {
    expect(hex(hsmAad(aad, metadata))).toBe(expected)
  })

  it('states lengths up to 65,535 and 255 bytes', () => {
    const longest = Buffer.from(hsmAad(Buffer.alloc(65_535), Buffer.alloc(255)))
    expect([longest.length, longest.readUInt16BE(), longest[2 + 65_535]]).toEqual([2 + 65_535 + 1 + 255, 65_535, 255])
    expect(() => hsmAad(Buffer.alloc(65_536), undefined)).toThrow(RangeError)
    expect(() => hsmAad(undefined, Buffer.alloc(256))).toThrow(RangeError)
  })

  it('is never the same for two pairs, so that metadata cannot be moved into the AAD', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), fc.nat(40), (bytes, one, other) => {
        fc.pre(Math.min(one, bytes.length) !== Math.min(other, bytes.length))
        const split = (at: number) => hex(hsmAad(bytes.subarray(0, at), bytes.subarray(at)))
        expect(split(one)).not.toBe(split(other))
      }),
    )
  })
})

describe("the AAD of AWS's sample proxy", () => {
  it('has the digest of the AAD in its place, after the length of the AAD', () => {
    fc.assert(
      fc.property(aad, metadata, (aad, metadata) => {
        const digest = createHash('sha256').update(aad).digest('hex')
        const length = aad.length.toString(16).padStart(4, '0')
        const tail = metadata.length.toString(16).padStart(2, '0') + hex(metadata)
        expect(hex(sampleProxyAad(aad, metadata))).toBe(length + digest + tail)
      }),
    )
  })

  it('distinguishes an absent AAD from an empty one', () => {
    const ofNothing = createHash('sha256').digest('hex')
    expect(hex(sampleProxyAad(undefined, undefined))).toBe('000000')
    expect(hex(sampleProxyAad(new Uint8Array(), undefined))).toBe(`0000${ofNothing}00`)
  })
})

describe('the ciphertextDataIntegrityValue', () => {
  it.each(published)('is that of the specification: $vector.comment', ({ vector, ...encrypted }) => {
    expect(ciphertextDataIntegrityValue(encrypted)).toBe(vector.ciphertextDataIntegrityValue)
  })

  it('is the digest of all parts that are there, in their order', () => {
    fc.assert(
      fc.property(
        fc.option(aad, { nil: undefined }),
        fc.option(metadata, { nil: undefined }),
        fc.uint8Array({ minLength: 12, maxLength: 16 }),
        aad,
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (aad, metadata, iv, ciphertext, tag) => {
          const all = Buffer.concat([aad, metadata, iv, ciphertext, tag].filter(part => part !== undefined))
          const digest = createHash('sha256').update(all).digest('base64')
          expect(ciphertextDataIntegrityValue({ aad, metadata, iv, ciphertext, tag })).toBe(digest)
        },
      ),
    )
  })
})
