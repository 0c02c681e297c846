import pkcs11js from 'pkcs11js'
import { describe, expect, it } from 'vitest'
import {
  type Ability,
  checkAbilities,
  checkKeyKind,
  lacksOfAll,
  whyUnsupportedAnywhere,
} from '../../../src/model/keys/ability.ts'
import { algorithmsOf, keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'

const nothing = () => undefined
const specs = Object.keys(keySpecs) as SupportedKeySpec[]
const kinds = specs.flatMap(spec => keySpecs[spec].usages.map(usage => [spec, usage] as const))

describe('what no HSM supports', () => {
  it('is ML-KEM as long as pkcs11js lacks the functions of PKCS#11 v3.2', () => {
    for (const name of ['C_EncapsulateKey', 'C_DecapsulateKey']) {
      expect(Reflect.has(new pkcs11js.PKCS11(), name), name).toBe(false)
      expect(lacksOfAll.ML_KEM).toContain(name)
    }
  })

  it('is a whole key spec if it is every algorithm of it', () => {
    for (const spec of specs) {
      const algorithms = keySpecs[spec].usages.flatMap(usage => algorithmsOf(spec, usage))
      // ECDH is common to many specs.
      const own = algorithms.filter(algorithm => algorithm !== 'ECDH')
      // Data key pairs of ML-KEM are supported.
      const isLacking =
        !spec.startsWith('ML_KEM') && own.every(algorithm => whyUnsupportedAnywhere(algorithm) !== undefined)
      expect(whyUnsupportedAnywhere(spec) !== undefined, spec).toBe(isLacking)
    }
  })
})

describe('a kind of key', () => {
  const impossible = ([spec]: (typeof kinds)[number]) => /^(SM2|ML_KEM)/.test(spec)

  it.each(kinds.filter(impossible))('%s for %s is refused, whatever the HSM supports', (spec, usage) => {
    expect(() => checkKeyKind(nothing, spec, usage)).toThrow(/ is not supported: /)
  })

  it.each(kinds.filter(kind => !impossible(kind)))(
    '%s for %s is refused without its spec, or without every algorithm, and not before',
    (spec, usage) => {
      const algorithms: readonly Ability[] = algorithmsOf(spec, usage)
      const [first] = algorithms
      checkKeyKind(nothing, spec, usage)
      expect(() => checkKeyKind(ability => (ability === spec ? 'why' : undefined), spec, usage)).toThrow(/: why\.$/)
      expect(() => checkKeyKind(ability => (algorithms.includes(ability) ? 'why' : undefined), spec, usage)).toThrow(
        /: why\.$/,
      )
      if (algorithms.length > 1) checkKeyKind(ability => (ability === first ? 'why' : undefined), spec, usage)
    },
  )
})

it('a refusal names what is unsupported, with "by this HSM" only if others support it', () => {
  const own = () => 'of its own'
  const text = (ability: Ability) => {
    try {
      checkAbilities(a => whyUnsupportedAnywhere(a) ?? own(), [ability])
    } catch (error) {
      return (error as Error).message
    }
    return undefined
  }
  expect(text('ED25519_SHA_512')).toBe('Algorithm ED25519_SHA_512 is not supported by this HSM: of its own.')
  expect(text('SYMMETRIC_DEFAULT')).toBe('Algorithm SYMMETRIC_DEFAULT is not supported by this HSM: of its own.')
  expect(text('RSA_4096')).toBe('Key spec RSA_4096 is not supported by this HSM: of its own.')
  expect(text('GenerateDataKeyPair')).toBe('GenerateDataKeyPair is not supported by this HSM: of its own.')
  expect(text('EXTERNAL_MU')).toBe('Message type EXTERNAL_MU is not supported: PKCS#11 v3.2 has no mechanism for it.')
})
