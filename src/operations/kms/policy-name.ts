import { Failure } from '../../errors.ts'

/** A key has exactly one policy, and this is its name. */
export const defaultPolicyName = 'default'

export function checkPolicyName(name = defaultPolicyName): void {
  if (name !== defaultPolicyName) throw new Failure('NotFound', 'No such policy exists')
}
