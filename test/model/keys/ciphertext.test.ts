import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import {
  decodeCiphertext,
  decodeInner,
  encodeCiphertext,
  encodeExternal,
  encodeHeader,
  encodeInner,
} from '../../../src/model/keys/ciphertext.ts'

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
        expect(decoded).toMatchObject({ format: 1, material })
        if (decoded.format !== 1) return
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

const external = fc.record({
  metadata: fc.uint8Array({ maxLength: 20 }),
  iv,
  tag: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  ciphertext: fc.uint8Array({ minLength: 29, maxLength: 200 }),
})

describe('a ciphertext blob of an external key', () => {
  const header = encodeHeader('ab'.repeat(32), 12, 2)

  it('is laid out as docs/ciphertext.md says', () => {
    const parts = { metadata: Buffer.from('v1'), iv: Buffer.alloc(16, 0x11), tag: Buffer.alloc(16, 0x22) }
    const blob = Buffer.from(encodeExternal(header, { ...parts, ciphertext: Buffer.alloc(3, 0x33) }))
    const [iv, tag] = ['11'.repeat(16), '22'.repeat(16)]
    expect(blob.toString('hex')).toBe(`02${'ab'.repeat(32)}0ca7bf5594027631${`10${iv}`}${tag}333333`)
  })

  it('returns what was put into it', () => {
    fc.assert(
      fc.property(external, parts => {
        const decoded = decodeCiphertext(encodeExternal(header, parts))
        expect(decoded).toMatchObject({ format: 2, material: 'ab'.repeat(32) })
        if (decoded.format !== 2) return
        expect(Buffer.from(decoded.header)).toEqual(header)
        for (const name of ['metadata', 'iv', 'tag', 'ciphertext'] as const)
          expect(Buffer.from(decoded.external[name])).toEqual(Buffer.from(parts[name]))
      }),
    )
  })

  it('holds what the key material has encrypted', () => {
    fc.assert(
      fc.property(ciphertext, ciphertext => {
        const inner = encodeInner(header, Buffer.alloc(12, 1), ciphertext)
        expect(decodeInner(header, inner)).toEqual({ iv: Buffer.alloc(12, 1), ciphertext: Buffer.from(ciphertext) })
      }),
    )
    for (let length = 0; length < 28; length++) expect(() => decodeInner(header, Buffer.alloc(length))).toThrow(Failure)
  })

  it('is refused when it is cut short, its lengths are not those of the XKS API, or its header is altered', () => {
    const parts = {
      metadata: Buffer.alloc(20),
      iv: Buffer.alloc(12),
      tag: Buffer.alloc(16),
      ciphertext: Buffer.alloc(1),
    }
    const blob = Buffer.from(encodeExternal(header, parts))
    for (let length = 0; length < blob.length; length++)
      expect(refusal(blob.subarray(0, length))?.code).toBe('InvalidCiphertext')
    const long = Buffer.concat([blob, Buffer.alloc(300)])
    for (const [at, value] of [
      [38, 21],
      [38, 255],
      [59, 0],
      [59, 11],
      [59, 13],
      [59, 255],
    ] as const) {
      const altered = Buffer.from(long)
      altered[at] = value
      expect(refusal(altered)?.code, `byte ${at} is ${value}`).toBe('InvalidCiphertext')
    }
    for (let at = 0; at < 38; at++) {
      const altered = Buffer.from(blob)
      altered[at]! ^= 3
      expect(refusal(altered)?.code, `byte ${at}`).toBe('InvalidCiphertext')
    }
  })
})
