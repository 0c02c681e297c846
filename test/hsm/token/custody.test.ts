import { describe, expect, it } from 'vitest'
import { custodyFaults } from '../../../src/hsm/token/custody.ts'

const inCustody = { sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true, local: true }

describe('custody', () => {
  it('has no fault when all five attributes are right', () => {
    expect(custodyFaults(inCustody)).toEqual([])
  })

  it('has no fault when the HSM does not tell where the key was born, but has when it tells that it was elsewhere', () => {
    const { local: _, ...told } = inCustody
    expect(custodyFaults(told)).toEqual([])
    expect(custodyFaults({ ...told, local: undefined })).toEqual([])
    expect(custodyFaults({ ...told, local: false })).toEqual(['local'])
  })

  it.each(Object.keys(inCustody) as (keyof typeof inCustody)[])('has a fault when only %s is wrong', name => {
    expect(custodyFaults({ ...inCustody, [name]: !inCustody[name] })).toEqual([name])
  })
})
