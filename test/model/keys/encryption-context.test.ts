import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkEncryptionContext,
  type EncryptionContext,
  encodeEncryptionContext,
} from '../../../src/model/keys/encryption-context.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 8 })
const contexts = fc.dictionary(text, text, { maxKeys: 4 })
const hex = (context?: EncryptionContext) => Buffer.from(encodeEncryptionContext(context)).toString('hex')

describe('the canonical form of an encryption context', () => {
  it('is as docs/ciphertext.md says', () => {
    expect(hex({ b: '2', a: 'é' })).toBe(
      '00000002' + '00000001' + '61' + '00000002' + 'c3a9' + '00000001' + '62' + '00000001' + '32',
    )
  })

  it('is the same for an absent and an empty context', () => {
    expect(hex()).toBe('00000000')
    expect(hex({})).toBe(hex())
  })

  it('does not depend on the order of the pairs', () => {
    fc.assert(
      fc.property(contexts, context => {
        expect(hex(Object.fromEntries(Object.entries(context).reverse()))).toBe(hex(context))
      }),
    )
  })

  it('differs for any two contexts that differ', () => {
    fc.assert(
      fc.property(contexts, contexts, (a, b) => {
        const sorted = (c: EncryptionContext) => JSON.stringify(Object.entries(c).sort(([x], [y]) => (x < y ? -1 : 1)))
        expect(hex(a) === hex(b)).toBe(sorted(a) === sorted(b))
      }),
    )
  })

  it('cannot be confused by moving text between keys and values', () => {
    expect(hex({ a: 'b,c' })).not.toBe(hex({ a: 'b', c: '' }))
    expect(hex({ ab: 'c' })).not.toBe(hex({ a: 'bc' }))
  })

  it('treats names with a meaning in JavaScript as ordinary keys', () => {
    const context = JSON.parse('{"__proto__":"x","constructor":"y"}')
    expect(hex(context)).not.toBe(hex({ constructor: 'y' } as unknown as EncryptionContext))
  })

  it('is refused beyond 8192 bytes', () => {
    const longest = { k: 'v'.repeat(8192 - 4 - 8 - 1) }
    expect(encodeEncryptionContext(longest)).toHaveLength(8192)
    expect(() => checkEncryptionContext(longest)).not.toThrow()
    expect(() => checkEncryptionContext({ k: 'v'.repeat(8192 - 4 - 8) })).toThrow(
      expect.objectContaining({ code: 'Validation' }),
    )
  })
})
