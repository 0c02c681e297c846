import { describe, expect, it } from 'vitest'
import { custodyFaults } from '../../../src/hsm/token/custody.ts'

const inCustody = { sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true, local: true }

describe('custody', () => {
  it('has no fault if all five attributes are right', () => {
    expect(custodyFaults(inCustody)).toEqual([])
  })

  it('has no fault if the HSM does not report CKA_LOCAL, but has if it is false', () => {
    const { local: _, ...told } = inCustody
    expect(custodyFaults(told)).toEqual([])
    expect(custodyFaults({ ...told, local: undefined })).toEqual([])
    expect(custodyFaults({ ...told, local: false })).toEqual(['local'])
  })

  it.each(Object.keys(inCustody) as (keyof typeof inCustody)[])('has a fault if only %s is wrong', name => {
    expect(custodyFaults({ ...inCustody, [name]: !inCustody[name] })).toEqual([name])
  })
})
