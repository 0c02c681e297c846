import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ecdsaFromDer, ecdsaToDer } from '../../../src/hsm/token/ecdsa-signature.ts'

/** Published signatures are in signature-vectors.test.ts. */

describe('an ECDSA signature', () => {
  it.each([28, 32, 48, 66])('of two numbers of %i bytes goes to DER and back', bytes => {
    const number = fc.oneof(
      fc.uint8Array({ minLength: bytes, maxLength: bytes }),
      fc.nat({ max: bytes }).map(zeros => new Uint8Array(bytes).fill(0xff, zeros)),
    )
    fc.assert(
      fc.property(number, number, (r, s) => {
        const signature = Buffer.concat([r, s])
        expect(ecdsaFromDer(ecdsaToDer(Buffer.from(signature)), bytes)).toEqual(signature)
      }),
    )
  })

  it.each([
    ['small numbers', `${'00'.repeat(31)}01${'00'.repeat(31)}7f`, '300602010102017f'],
    ['a first bit that is no sign', `${'00'.repeat(31)}80${'00'.repeat(31)}ff`, '300802020080020200ff'],
    ['zeros', '00'.repeat(64), '3006020100020100'],
    ['a long SEQUENCE', 'ff'.repeat(132), `30818a0243${`00${'ff'.repeat(66)}`}0243${`00${'ff'.repeat(66)}`}`],
  ])('has, with %s, the one encoding of X.690, section 10', (_, signature, der) => {
    expect(ecdsaToDer(Buffer.from(signature, 'hex')).toString('hex')).toBe(der)
    expect(ecdsaFromDer(Buffer.from(der, 'hex'), signature.length / 4)?.toString('hex')).toBe(signature)
  })

  it.each([
    ['a zero more than the number needs', '3007020200010201 01'],
    ['a negative number', '3006 020180 020101'],
    ['a number without digits', '3005 0200 020101'],
    ['a number longer than the curve has', `3026 0221 01${'00'.repeat(32)} 020101`],
    ['a long length where a short one fits', '308106 020101 020101'],
    ['a long length of a number', '3007 02810101 020101'],
    ['no definite length', '3080 020101 020101 0000'],
    ['a length of five bytes', '30850000000006 020101 020101'],
    ['one number', '3003 020101'],
    ['three numbers', '3009 020101 020101 020101'],
    ['a byte behind', '3006 020101 020101 00'],
    ['a byte too few', '3006 020101 0201'],
    ['another tag', '3106 020101 020101'],
    ['another tag of a number', '3006 030101 020101'],
    ['nothing in it', '3000'],
    ['no byte', ''],
    ['one byte', '30'],
  ])('is invalid with %s', (_, der) => {
    expect(ecdsaFromDer(Buffer.from(der.replaceAll(' ', ''), 'hex'), 32)).toBe(undefined)
  })
})
