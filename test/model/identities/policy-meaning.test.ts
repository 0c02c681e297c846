import { describe, expect, it } from 'vitest'
import { policyDocument, policyMeaning } from '../../../src/model/identities/policy-meaning.ts'

const withValue = (value: string) => `{"Statement":{"Condition":{"StringEquals":{"aws:RequestTag/id":${value}}}}}`

describe('a number in a policy', () => {
  it.each(['1.10', '1e3', '-0', '12345678901234567890', '0.10000000000000000001'])(
    'that is written as %s is exported as that text, as conditions compare it',
    number => {
      expect(policyDocument(withValue(number))).toEqual(JSON.parse(withValue(`"${number}"`)))
      expect(policyMeaning(withValue(number))).toBe(policyMeaning(withValue(`"${number}"`)))
    },
  )

  it.each([
    ['1.10', '1.1'],
    ['12345678901234567890', '12345678901234567891'],
  ])('%s is another one than %s', (one, other) => {
    expect(policyMeaning(withValue(one))).not.toBe(policyMeaning(withValue(other)))
  })

  it('stays a number if it is written as JavaScript would', () => {
    expect(policyDocument(withValue('90'))).toEqual(JSON.parse(withValue('90')))
  })
})
