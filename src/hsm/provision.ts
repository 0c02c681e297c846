/** Creates the token of an HSM whose profile allows it. */
import { OperatorError } from '../errors.ts'
import { runChild } from './child.ts'
import { profileOf } from './profiles/find-profile.ts'
import type { Profile } from './profiles/profile.ts'

export interface ProvisionOptions {
  readonly library: string
  readonly libraryParameters?: string | undefined
  readonly profile: string
  readonly tokenLabel: string
  /** File whose only line is the new user PIN. */
  readonly pinFile: string
  /** The same for the PIN of the security officer, used only to set the user PIN. */
  readonly securityOfficerPinFile: string
  /** The whole environment of the process that loads the library. */
  readonly environment: Readonly<Record<string, string>>
}

/** Of the process that loads the library. */
export interface ProvisionArgument extends Omit<ProvisionOptions, 'environment'>, Pick<Profile, 'processLock'> {}

/**
 * Creates the token with its PINs, or completes an earlier run; `present` if it already exists. Rejects with an OperatorError of one line.
 */
export async function provisionHsm({ environment, ...argument }: ProvisionOptions): Promise<'created' | 'present'> {
  const { name, canInitializeToken, processLock } = profileOf(argument.profile)
  if (!canInitializeToken)
    throw new OperatorError(`cannot create a token with the HSM profile ${name}: use the vendor's tools`)
  return runChild('worker/provisioner', { ...argument, processLock } satisfies ProvisionArgument, environment)
}
