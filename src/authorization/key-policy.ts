import { Failure } from '../errors.ts'
import type { Caller } from '../model/identities/caller.ts'
import { namedPrincipal, type Principals } from '../model/identities/principals.ts'
import { keyPolicyAction } from '../model/keys/key.ts'
import { findPartition, type Partition } from '../model/partitions.ts'
import { findOperator } from './conditions.ts'
import { decide } from './decide.ts'
import { invalidPrincipals, malformed, parsePolicy, type Statement } from './grammar.ts'
import { policiesOf } from './request.ts'

/** Bytes of UTF-8: KMS Developer Guide, "Resource quotas". */
const maximumLength = 32768

/** A new policy for a key. */
export interface ProposedKeyPolicy {
  readonly text: string
  readonly keyArn: string
  readonly account: string
  readonly caller: Caller
  readonly bypassLockoutSafetyCheck: boolean
}

/**
 * Throws MalformedPolicyDocument for a policy that is malformed or, unless the check is bypassed, would lock its caller out; LimitExceeded
 * for one that is too long. KMS API Reference, "PutKeyPolicy".
 *
 * Length and characters are checked in the text, not after decoding escapes: it is stored and returned unchanged, so a valid policy can be
 * put again.
 *
 * @returns unique ids of the users, roles and sessions that it names, by their ARNs
 */
export function checkKeyPolicy(
  { text, keyArn, account, caller, bypassLockoutSafetyCheck }: ProposedKeyPolicy,
  principals: Principals,
): Readonly<Record<string, string>> {
  if (Buffer.byteLength(text) > maximumLength) {
    throw new Failure('LimitExceeded', `The key policy exceeds the limit of ${maximumLength} bytes.`)
  }
  if (/[^\t\n\r\u0020-\u00ff]/.test(text)) throw malformed('The key policy contains characters that are not allowed.')
  const { statements } = parsePolicy(text, 'resource')
  const partition = findPartition(keyArn.split(':')[3]!)
  const principalIds: Record<string, string> = {}
  for (const statement of statements) {
    checkStatement(statement, partition)
    Object.assign(principalIds, idsOf(statement.principals!.aws, partition, principals))
  }
  if (bypassLockoutSafetyCheck) return principalIds
  const later = { principal: caller, action: keyPolicyAction, resource: keyArn, account, context: () => undefined }
  if (decide(later, { ...policiesOf(caller), resource: { text, principalIds } }).allowed) return principalIds
  throw malformed('The new key policy will not allow you to update the key policy in the future.')
}

/** AWS requires Action and Resource since August 2025. */
function checkStatement({ principals, actions, resources, conditions }: Statement, partition: Partition): void {
  if (!principals!.services.every(name => isService(name, partition))) throw invalidPrincipals()
  if (isEmpty(actions.values)) throw malformed('Missing required field Action')
  if (isEmpty(resources.values)) throw malformed('Missing required field Resource')
  const unknown = conditions.find(({ operator }) => !findOperator(operator))
  if (unknown) throw malformed(`Invalid Condition type : ${unknown.operator.slice(0, 100)}`)
}

function isEmpty(list: readonly string[]): boolean {
  return list.length === 0 || list.includes('')
}

/** By ARN. Throws MalformedPolicyDocument for a principal of another partition, and for one that does not exist. */
function idsOf(names: readonly string[], partition: Partition, principals: Principals): Record<string, string> {
  const ids: Record<string, string> = {}
  for (const name of names.filter(name => name !== '*')) {
    const found = namedPrincipal(name, partition.id, principals)
    if (found === undefined) throw invalidPrincipals()
    if (found.id !== undefined && found.id !== name) ids[name] = found.id
  }
  return ids
}

/** IAM User Guide, "AWS service principals". Most have the same domain in every partition. */
function isService(name: string, { dnsSuffix }: Partition): boolean {
  const domain = ['amazonaws.com', dnsSuffix].find(suffix => name.endsWith(`.${suffix}`))
  return domain !== undefined && /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name)
}
