import { describe, expect, it } from 'vitest'
import { shapeNamed } from '../../../src/apis/kms/model.ts'
import { algorithmList } from '../../../src/model/keys/key-metadata.ts'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'

const valuesOf = (shape: string) => (shapeNamed(shape) as { readonly enum: readonly string[] }).enum

describe('the key specs', () => {
  it('are all of the API, including data key pairs', () => {
    expect(Object.keys(keySpecs).sort()).toEqual([...valuesOf('KeySpec')].sort())
    for (const spec of valuesOf('DataKeyPairSpec')) expect(Object.keys(keySpecs)).toContain(spec)
  })

  it.each([
    ['encryptionAlgorithms', 'EncryptionAlgorithmSpec', 'ENCRYPT_DECRYPT'],
    ['signingAlgorithms', 'SigningAlgorithmSpec', 'SIGN_VERIFY'],
    ['macAlgorithms', 'MacAlgorithmSpec', 'GENERATE_VERIFY_MAC'],
    ['keyAgreementAlgorithms', 'KeyAgreementAlgorithmSpec', 'KEY_AGREEMENT'],
    ['encapsulationAlgorithms', 'EncapsulationAlgorithmSpec', 'ENCAPSULATE_DECAPSULATE'],
  ] as const)('have all %s of the API between them, and only those with the usage have any', (list, shape, usage) => {
    const rows = Object.values(keySpecs)
    expect([...new Set<string>(rows.flatMap(row => row[list]))].sort()).toEqual([...valuesOf(shape)].sort())
    for (const row of rows) expect(row[list].length > 0).toBe(row.usages.includes(usage))
  })

  it('show the list of algorithms of their usage', () => {
    for (const [spec, { usages }] of Object.entries(keySpecs)) {
      const lists = usages.map(usage =>
        Object.keys(algorithmList({ spec: spec as SupportedKeySpec, usage }, () => undefined)),
      )
      expect(lists.every(names => names.length === 1)).toBe(true)
      expect(new Set(lists.flat()).size).toBe(usages.length)
    }
  })
})
