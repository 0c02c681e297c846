/** What a new key policy must satisfy: KMS API Reference, "PutKeyPolicy"; KMS Developer Guide, "Key policies in AWS KMS". */
import { Failure } from '../errors.ts'
import { parsePrincipal } from '../model/arn.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { Caller } from '../model/identities/caller.ts'
import { namedPrincipal, type Principals } from '../model/identities/principals.ts'
import { keyPolicyAction } from '../model/keys/key.ts'
import { isOfIdentityPoliciesOnly, ofIdentityPoliciesOnly, overlyPermissive } from '../model/keys/policy-conditions.ts'
import { findPartition, type Partition } from '../model/partitions.ts'
import { findOperator } from './conditions.ts'
import { decide } from './decide.ts'
import { type Condition, invalidPrincipals, malformed, parsePolicy, type Statement } from './grammar.ts'
import { type ConditionValues, policiesOf } from './request.ts'

/** Bytes of UTF-8: KMS Developer Guide, "Resource quotas". */
const maximumLength = 32768

/** A new policy for a key. */
export interface ProposedKeyPolicy {
  readonly text: string
  readonly keyArn: string
  readonly account: string
  readonly caller: Caller
  readonly bypassLockoutSafetyCheck: boolean
  /** Condition keys of a later request to change the policy. The pipeline adds those of the request at hand. */
  readonly context?: ConditionValues | undefined
}

/**
 * Throws MalformedPolicyDocument for a policy that is malformed or, unless the check is bypassed, would lock its caller out; LimitExceeded
 * for one that is too long.
 *
 * @returns unique ids of the users, roles and sessions that it names, by their ARNs
 */
export function checkKeyPolicy(
  { text, keyArn, account, caller, bypassLockoutSafetyCheck, context = () => undefined }: ProposedKeyPolicy,
  principals: Principals,
): Readonly<Record<string, string>> {
  const principalIds = checkKeyPolicyText(text, findPartition(keyArn.split(':')[3]!), principals)
  if (bypassLockoutSafetyCheck) return principalIds
  const later = { principal: caller, action: keyPolicyAction, resource: keyArn, account, context }
  if (decide(later, { ...policiesOf(caller), resource: { text, principalIds } }).allowed) return principalIds
  throw malformed('The new key policy will not allow you to update the key policy in the future.')
}

/**
 * Everything but the lockout check. Length and characters are checked in the text, not after decoding escapes: it is stored and returned
 * unchanged, so a valid policy can be put again.
 */
export function checkKeyPolicyText(
  text: string,
  partition: Partition,
  principals: Principals,
): Readonly<Record<string, string>> {
  if (Buffer.byteLength(text) > maximumLength) {
    throw new Failure('LimitExceeded', `The key policy exceeds the limit of ${maximumLength} bytes.`)
  }
  if (/[^\t\n\r\u0020-\u00ff]/.test(text)) throw malformed('The key policy contains characters that are not allowed.')
  const { statements } = parsePolicy(text, 'resource')
  const principalIds: Record<string, string> = {}
  for (const statement of statements) {
    if (invalidNames(statement, partition, principals).length > 0) throw invalidPrincipals()
    checkStatement(statement)
    Object.assign(principalIds, idsOf(statement.principals!.aws, partition, principals))
  }
  return principalIds
}

/** AWS requires Action or NotAction, and Resource, since August 2025. */
function checkStatement({ actions, resources, conditions }: Statement): void {
  if (isEmpty(actions.values)) throw malformed('Missing required field Action')
  if (isEmpty(resources.values)) throw malformed('Missing required field Resource')
  for (const condition of conditions) checkCondition(condition)
}

function isEmpty(list: readonly string[]): boolean {
  return list.length === 0 || list.includes('')
}

/**
 * Names of keys are not checked, as AWS adds keys and policies use them at once: a key that no request has is as if it were absent.
 */
function checkCondition({ operator, key, values }: Condition): void {
  const written = findOperator(operator)
  if (!written) throw malformed(`Invalid Condition type : ${operator.slice(0, 100)}`)
  const name = asciiLowerCase(key)
  if (isOfIdentityPoliciesOnly(name)) throw malformed(ofIdentityPoliciesOnly)
  const [, subject] = overlyPermissive.find(([family]) => name.startsWith(family)) ?? []
  if (written.set === 'ForAllValues' && subject !== undefined) throw malformed(overlyPermissiveCondition(subject))
  const { isStrict, accepts } = written.operator.comparison
  const wrong = isStrict && values.find(value => !accepts(value))
  if (wrong !== undefined) {
    throw malformed(`Invalid value for Condition type ${operator.slice(0, 100)} : ${wrong.slice(0, 100)}`)
  }
}

function overlyPermissiveCondition(subject: string): string {
  return `OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key matches requests without the specified ${subject} or with an unspecified ${subject}. To fix, remove ForAllValues.`
}

/** Principals of a statement that are malformed, of another partition, or do not exist. */
export function invalidNames(
  { principals: named }: Statement,
  partition: Partition,
  principals: Principals,
): readonly string[] {
  const { aws, services } = named!
  const exists = (name: string) =>
    namedPrincipal(name, partition.id, principals) !== undefined || isServiceLinkedRole(name, partition)
  return [...aws.filter(name => name !== '*' && !exists(name)), ...services.filter(name => !isService(name, partition))]
}

/**
 * AWS creates these roles for its services, which do not call this gateway: policies that name them are as good as those that name the
 * services. IAM User Guide, "Service-linked roles".
 */
function isServiceLinkedRole(name: string, { id }: Partition): boolean {
  return parsePrincipal(name, id)?.path?.startsWith('aws-service-role/') ?? false
}

/** By ARN. */
function idsOf(names: readonly string[], partition: Partition, principals: Principals): Record<string, string> {
  const ids: Record<string, string> = {}
  for (const name of names) {
    const id = namedPrincipal(name, partition.id, principals)?.id
    if (id !== undefined && id !== name) ids[name] = id
  }
  return ids
}

/** IAM User Guide, "AWS service principals". Most have the same domain in every partition. */
function isService(name: string, { dnsSuffix }: Partition): boolean {
  const domain = ['amazonaws.com', dnsSuffix].find(suffix => name.endsWith(`.${suffix}`))
  return domain !== undefined && /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name)
}
