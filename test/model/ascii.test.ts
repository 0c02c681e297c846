import { expect, it } from 'vitest'
import { asciiLowerCase } from '../../src/model/ascii.ts'

it.each([
  ['aws:PrincipalArn', 'aws:principalarn'],
  ['AWS:USERID', 'aws:userid'],
  ['aws:PrincipalTag/Größe ÄÖ', 'aws:principaltag/größe ÄÖ'],
  // A Kelvin sign, a long s and a dotted İ, which toLowerCase or toUpperCase would turn into ASCII letters.
  ['aws:PrincipalTag/\u212aey', 'aws:principaltag/\u212aey'],
  ['aws:PrincipalTag/\u017ftage', 'aws:principaltag/\u017ftage'],
  ['aws:PrincipalTag/\u0130d', 'aws:principaltag/\u0130d'],
])('turns %s into %s', (text, lower) => {
  expect(asciiLowerCase(text)).toBe(lower)
})
