/** Finds the profile that the configuration names. */
import { OperatorError } from '../../errors.ts'
import { profiles } from './catalogue.ts'
import type { Profile } from './profile.ts'
import { readProfile } from './profile-file.ts'

/** @param name of a profile in profiles/, or absolute path of a file. Throws an OperatorError of one line. */
export function profileOf(name: string): Profile {
  return name.startsWith('/') ? readProfile(name, builtIn) : builtIn(name)
}

function builtIn(name: string): Profile {
  const profile = profiles.find(profile => profile.name === name)
  if (profile !== undefined) return profile
  const names = profiles.map(({ name }) => name).join(', ')
  throw new OperatorError(`unknown HSM profile "${name}": use one of ${names}, or the path of a file`)
}
