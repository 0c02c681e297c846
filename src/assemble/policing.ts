/** Decisions by policies, in the mode of the configuration. */
import { decide } from '../authorization/decide.ts'
import { explain } from '../authorization/explain.ts'
import { checkKeyPolicy } from '../authorization/key-policy.ts'
import type { Config } from '../config.ts'
import type { PathServices, Storage } from '../services.ts'

export function policing(
  { emulator }: Config,
  { principals }: Storage,
): Pick<PathServices, 'checkKeyPolicy' | 'authorize' | 'explain'> {
  if (emulator?.enforce ?? true) {
    return { checkKeyPolicy: policy => checkKeyPolicy(policy, principals), authorize: decide, explain }
  }
  return {
    // None can lock its caller out.
    checkKeyPolicy: policy => checkKeyPolicy({ ...policy, bypassLockoutSafetyCheck: true }, principals),
    authorize: () => ({ allowed: true, outcome: 'Allow', reason: 'Policies are not enforced.' }),
    explain,
  }
}
