import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import { decodeCiphertext, encodeCiphertext, encodeHeader } from '../../../src/model/keys/ciphertext.ts'

const material = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes).toString('hex'))
const iv = fc.constantFrom(12, 16).chain(length => fc.uint8Array({ minLength: length, maxLength: length }))
const ciphertext = fc.uint8Array({ minLength: 17, maxLength: 200 })

function refusal(blob: Uint8Array): Failure | undefined {
  try {
    decodeCiphertext(blob)
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(Failure)
    return error as Failure
  }
}

describe('a ciphertext blob', () => {
  it('is laid out as docs/ciphertext.md says', () => {
    const header = encodeHeader('ab'.repeat(32), 12)
    const blob = Buffer.from(encodeCiphertext(header, Buffer.alloc(12, 0x11), Buffer.alloc(20, 0x22)))
    const iv = '11'.repeat(12)
    expect(blob.toString('hex')).toBe(`01${'ab'.repeat(32)}0cca39a6ce${iv}${'22'.repeat(20)}`)
  })

  it('returns what was put into it', () => {
    fc.assert(
      fc.property(material, iv, ciphertext, (material, iv, ciphertext) => {
        const header = encodeHeader(material, iv.length)
        const decoded = decodeCiphertext(encodeCiphertext(header, iv, ciphertext))
        expect(decoded.material).toBe(material)
        expect(Buffer.from(decoded.iv)).toEqual(Buffer.from(iv))
        expect(Buffer.from(decoded.ciphertext)).toEqual(Buffer.from(ciphertext))
        expect(Buffer.from(decoded.header)).toEqual(Buffer.from(header))
      }),
    )
  })

  it.each([0, 11, 13, 16])('is not encoded with an IV of %i bytes and a header that states 12', length => {
    const header = encodeHeader('5a'.repeat(32), 12)
    expect(() => encodeCiphertext(header, Buffer.alloc(length), Buffer.alloc(40))).toThrow(/^The IV has/)
  })

  it('is refused, without text, when any byte of its header is altered', () => {
    const blob = encodeCiphertext(encodeHeader('5a'.repeat(32), 12), Buffer.alloc(12), Buffer.alloc(40))
    for (let at = 0; at < 38; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const altered = Buffer.from(blob)
        altered[at]! ^= flip
        expect(refusal(altered), `byte ${at}`).toMatchObject({ code: 'InvalidCiphertext', message: '' })
      }
    }
  })

  it('is refused when it is cut short anywhere before its tag', () => {
    const blob = encodeCiphertext(encodeHeader('5a'.repeat(32), 12), Buffer.alloc(12), Buffer.alloc(16))
    for (let length = 0; length < blob.length; length++) {
      expect(refusal(blob.subarray(0, length))?.code).toBe('InvalidCiphertext')
    }
  })

  it('is refused when it is anything else, such as an RSA block', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), bytes => {
        expect(refusal(bytes)).toBeDefined()
      }),
    )
  })
})
