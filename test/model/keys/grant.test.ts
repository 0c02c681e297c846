import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkGrantConstraints,
  checkGrantOperations,
  type GrantConstraints,
  type GrantOperation,
  isWithin,
} from '../../../src/model/keys/grant.ts'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'

const [equals, subset] = ['EncryptionContextEquals', 'EncryptionContextSubset'] as const

describe('the operations of a grant', () => {
  const everywhere = ['CreateGrant', 'DescribeKey', 'RetireGrant']
  const encryption = ['Decrypt', 'Encrypt', 'ReEncryptFrom', 'ReEncryptTo']
  const dataKeys = ['', 'WithoutPlaintext', 'Pair', 'PairWithoutPlaintext'].map(kind => `GenerateDataKey${kind}`)
  const all: readonly string[] = [
    ...[...everywhere, ...encryption, ...dataKeys],
    ...[
      'Sign',
      'Verify',
      'GenerateMac',
      'VerifyMac',
      'DeriveSharedSecret',
      'Encapsulate',
      'Decapsulate',
      'GetPublicKey',
    ],
  ]

  // KMS Developer Guide, "Grant operations".
  it.each<[SupportedKeySpec, keyof typeof fitting]>([
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['RSA_2048', 'ENCRYPT_DECRYPT'],
    ['RSA_2048', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'KEY_AGREEMENT'],
    ['ML_DSA_44', 'SIGN_VERIFY'],
    ['ML_KEM_512', 'ENCAPSULATE_DECAPSULATE'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ])('are those of a key of %s and %s', (spec, usage) => {
    const expected = new Set([
      ...everywhere,
      ...fitting[usage],
      ...(keySpecs[spec].type === 'asymmetric' ? ['GetPublicKey'] : []),
      ...(keySpecs[spec].type === 'symmetric' ? dataKeys : []),
    ])
    const accepted = all.filter(operation => {
      try {
        // CreateGrant needs another operation.
        checkGrantOperations({ spec, usage }, [operation as GrantOperation, 'DescribeKey'])
        return true
      } catch {
        return false
      }
    })
    expect(new Set(accepted)).toEqual(expected)
  })
  const fitting = {
    ENCRYPT_DECRYPT: encryption,
    SIGN_VERIFY: ['Sign', 'Verify'],
    KEY_AGREEMENT: ['DeriveSharedSecret'],
    GENERATE_VERIFY_MAC: ['GenerateMac', 'VerifyMac'],
    ENCAPSULATE_DECAPSULATE: ['Encapsulate', 'Decapsulate'],
  } as const

  it.each<[readonly GrantOperation[], string]>([
    [['CreateGrant'], 'Grants must not contain only the CreateGrant operation.'],
    [['CreateGrant', 'CreateGrant'], 'Grants must not contain only the CreateGrant operation.'],
    [[], 'Operations must not be empty.'],
    [
      ['Decrypt', 'Sign', 'GetPublicKey'],
      'Grants on a KMS key with key spec SYMMETRIC_DEFAULT and key usage ENCRYPT_DECRYPT cannot include these operations: Sign, GetPublicKey.',
    ],
  ])('are not %o', (operations, text) => {
    const key = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const
    expect(() => checkGrantOperations(key, operations)).toThrow(text)
  })
})

describe('the constraints of a grant', () => {
  const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']))

  it.each<[string, GrantConstraints]>([
    ['EncryptionContextEquals can have 8', { [equals]: pairs(9) }],
    ['EncryptionContextSubset can have 8', { [equals]: pairs(8), [subset]: pairs(9) }],
    ['A value of EncryptionContextSubset can have 384', { [subset]: { k: 'v'.repeat(385) } }],
    ['EncryptionContextSubset must have at least one', { [subset]: {} }],
  ])('are refused: %s', (text, constraints) => {
    expect(() => checkGrantConstraints({ spec: 'SYMMETRIC_DEFAULT' }, constraints)).toThrow(text)
  })

  it('have up to 8 pairs and 384 characters each, and are for symmetric keys only', () => {
    const most = { [equals]: pairs(8), [subset]: { k: 'v'.repeat(384) } }
    checkGrantConstraints({ spec: 'SYMMETRIC_DEFAULT' }, most)
    checkGrantConstraints({ spec: 'SYMMETRIC_DEFAULT' }, { [equals]: {} })
    for (const spec of ['RSA_2048', 'ECC_NIST_P256', 'HMAC_256', 'ML_KEM_512'] as const) {
      checkGrantConstraints({ spec }, {})
      for (const constraints of [{ [equals]: {} }, { [subset]: { k: 'v' } }]) {
        expect(() => checkGrantConstraints({ spec }, constraints)).toThrow(
          `is not supported for KMS keys with key spec ${spec}`,
        )
      }
    }
  })
})

// biome-ignore format: a table
describe('a constraint', () => {
  const [ab, a] = [{ a: '1', b: '2' }, { a: '1' }]
  it.each<[string, GrantConstraints, GrantConstraints, boolean]>([
    // what                                                     narrow                  wide                    within
    ['none is within none',                                     {},                     {},                     true],
    ['any is within none',                                      { [subset]: a },        {},                     true],
    ['none is not within a subset',                             {},                     { [subset]: a },        false],
    ['none is not within an empty equal context',               {},                     { [equals]: {} },       false],
    ['a subset may gain pairs',                                 { [subset]: ab },       { [subset]: a },        true],
    ['a subset may not lose pairs',                             { [subset]: a },        { [subset]: ab },       false],
    ['a subset may not change a value',                         { [subset]: { a: '2' } }, { [subset]: a },      false],
    ['a subset may become equals',                              { [equals]: a },        { [subset]: a },        true],
    ['a subset may become equals with more pairs',              { [equals]: ab },       { [subset]: a },        true],
    ['equals may not become a subset',                          { [subset]: a },        { [equals]: a },        false],
    ['equals may not become a subset with more pairs',          { [subset]: ab },       { [equals]: a },        false],
    ['equals may not gain pairs',                               { [equals]: ab },       { [equals]: a },        false],
    ['equals may not lose pairs',                               { [equals]: a },        { [equals]: ab },       false],
    ['equals stays equals, in any order',                       { [equals]: { b: '2', a: '1' } }, { [equals]: ab }, true],
    ['both apply, and the equal context has what is required',  { [equals]: ab },       { [equals]: ab, [subset]: a }, true],
    ['both apply, and the equal context lacks what is required', { [equals]: a },       { [equals]: a, [subset]: ab }, false],
    ['keys are case-sensitive',                                 { [equals]: { A: '1' } }, { [subset]: a },      false],
    ['values are case-sensitive',                               { [equals]: { a: 'X' } }, { [subset]: { a: 'x' } }, false],
    ['a pair is not the same as another with the same text',    { [equals]: { ab: 'c' } }, { [subset]: { a: 'bc' } }, false],
    ['members of every object are no pairs',                    { [equals]: {} },       { [subset]: { constructor: 'x' } }, false],
  ])('%s', (_, narrow, wide, within) => {
    expect(isWithin(narrow, wide)).toBe(within)
  })

  it('is within another exactly if every context that it allows is allowed by the other', () => {
    const value = fc.constantFrom('1', '2')
    const context = fc.dictionary(fc.constantFrom('a', 'b', 'c'), value)
    const option = fc.option(context, { nil: undefined })
    const constraints = fc.record({ [equals]: option, [subset]: option })
    const allows = (one: GrantConstraints, context: Record<string, string>) => {
      const [exact, required] = [one[equals], one[subset] ?? {}]
      const sorted = (of: object) => JSON.stringify(Object.entries(of).sort())
      return (!exact || sorted(exact) === sorted(context)) && sorted({ ...context, ...required }) === sorted(context)
    }
    fc.assert(
      fc.property(constraints, constraints, (narrow, wide) => {
        const allowed = contexts.filter(context => allows(narrow, context))
        // One that allows nothing is within everything; it is not worth a rule.
        fc.pre(allowed.length > 0)
        expect(isWithin(narrow, wide)).toBe(allowed.every(context => allows(wide, context)))
      }),
      { numRuns: 2000 },
    )
  })
  /** One key more than constraints have, since there is always one more. */
  const contexts = ['a', 'b', 'c', 'd'].reduce<Record<string, string>[]>(
    (all, key) => all.flatMap(context => [context, { ...context, [key]: '1' }, { ...context, [key]: '2' }]),
    [{}],
  )
})
