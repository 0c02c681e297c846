import { describe, expect, it } from 'vitest'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { checkPlaintextLength } from '../../../src/model/keys/plaintext-limit.ts'

describe('the longest plaintext', () => {
  // RFC 8017, section 7.1.1: mLen <= k - 2 hLen - 2.
  it.each([
    ['RSA_2048', 256],
    ['RSA_3072', 384],
    ['RSA_4096', 512],
  ] as const)('of OAEP with %s leaves room for two hashes and two bytes', (spec, modulus) => {
    for (const [algorithm, hash] of [
      ['RSAES_OAEP_SHA_1', 20],
      ['RSAES_OAEP_SHA_256', 32],
    ] as const) {
      const limit = modulus - 2 * hash - 2
      checkPlaintextLength(spec, algorithm, limit)
      expect(() => checkPlaintextLength(spec, algorithm, limit + 1)).toThrow(
        `Algorithm ${algorithm} and key spec ${spec} cannot encrypt data larger than ${limit} bytes.`,
      )
    }
  })

  it.each<[SupportedKeySpec, 'SYMMETRIC_DEFAULT' | 'SM2PKE', number]>([
    ['SYMMETRIC_DEFAULT', 'SYMMETRIC_DEFAULT', 4096],
    ['SM2', 'SM2PKE', 1024],
  ])('of %s with %s has %s bytes', (spec, algorithm, limit) => {
    checkPlaintextLength(spec, algorithm, limit)
  })

  it('is known for every asymmetric key spec that encrypts', () => {
    const rows = Object.entries(keySpecs).filter(([, { type }]) => type === 'asymmetric')
    const pairs = rows.flatMap(([spec, row]) =>
      row.encryptionAlgorithms.map(algorithm => [spec as SupportedKeySpec, algorithm] as const),
    )
    expect(pairs).toHaveLength(7)
    for (const pair of pairs) expect(() => checkPlaintextLength(...pair, 4096)).toThrow()
  })
})
