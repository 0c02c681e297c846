import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { base64Length, decodeBase64 } from '../../src/model/base64.ts'

describe('base64', () => {
  it('is decoded if it is the canonical form, and has the length that its bytes imply', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        const text = Buffer.from(bytes).toString('base64')
        expect(decodeBase64(text)).toEqual(Buffer.from(bytes))
        expect(base64Length(bytes.length)).toBe(text.length)
      }),
    )
  })

  it.each([
    ['without its padding', 'QQ'],
    ['with half of its padding', 'QQ='],
    ['with too much padding', 'QQ==='],
    ['of padding only', '===='],
    ['with padding in the middle', 'QQ==QUFB'],
    ['in the URL alphabet', '-_-_'],
    ['with a space', 'QU FB'],
    ['with a newline at its end', 'QUFB\n'],
    ['with set bits behind the last byte', 'QR=='],
    ['with set bits behind the last two bytes', 'QUF='],
    ['with a letter outside of ASCII', 'QUFBé==='],
    ['with a NUL', 'QUFB\0\0\0\0'],
    ['of one character', 'Q'],
  ])('is refused %s', (_, text) => {
    expect(decodeBase64(text)).toBeUndefined()
  })

  it('is refused whenever it is not what its bytes encode to', () => {
    const almost = fc.string({ unit: fc.constantFrom(...'AQgw+/=-_ \n'), maxLength: 12 })
    fc.assert(
      fc.property(almost, text => {
        const bytes = Buffer.from(text, 'base64')
        expect(decodeBase64(text)).toEqual(bytes.toString('base64') === text ? bytes : undefined)
      }),
    )
  })
})
