import { Failure } from '../../errors.ts'

/** The name of a key's only policy. */
export const defaultPolicyName = 'default'

export function checkPolicyName(name = defaultPolicyName): void {
  if (name !== defaultPolicyName) throw new Failure('NotFound', 'No such policy exists')
}
