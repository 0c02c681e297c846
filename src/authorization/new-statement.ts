import { findOperator } from './conditions.ts'
import { malformed, type PolicyKind, type Statement } from './grammar.ts'

/**
 * What each statement of a new policy must satisfy, whatever it is attached to. Names of condition keys are not checked, as AWS adds keys
 * and policies use them at once: a key that no request has is as if it were absent. Throws MalformedPolicyDocument.
 */
export function checkNewStatement({ actions, resources, conditions }: Statement, kind: PolicyKind): void {
  // AWS requires Action or NotAction, and Resource, in key policies since August 2025.
  if (isEmpty(actions.values)) throw missing('Action', kind)
  if (isEmpty(resources.values)) throw missing('Resource', kind)
  for (const { operator, values } of conditions) {
    const written = findOperator(operator)
    if (!written) throw malformed(`Invalid Condition type : ${operator.slice(0, 100)}`)
    const { isStrict, accepts } = written.operator.comparison
    const wrong = isStrict ? values.find(value => !accepts(value)) : undefined
    if (wrong !== undefined) {
      throw malformed(`Invalid value for Condition type ${operator.slice(0, 100)} : ${wrong.slice(0, 100)}`)
    }
  }
}

function isEmpty(list: readonly string[]): boolean {
  return list.length === 0 || list.includes('')
}

function missing(element: 'Action' | 'Resource', kind: PolicyKind) {
  if (kind !== 'identity') return malformed(`Missing required field ${element}`)
  return malformed(`Policy statement must contain ${element === 'Action' ? 'actions' : 'resources'}.`)
}
