/** Finds the profile that the configuration names. */
import { OperatorError } from '../errors.ts'
import { profiles } from './profiles/catalogue.ts'
import type { Profile } from './profiles/profile.ts'

/** Throws an OperatorError that names the profiles there are. */
export function profileOf(name: string): Profile {
  const profile = profiles.find(profile => profile.name === name)
  if (profile !== undefined) return profile
  const names = profiles.map(({ name }) => name).join(', ')
  throw new OperatorError(`There is no HSM profile "${name}"; there are: ${names}.`)
}
