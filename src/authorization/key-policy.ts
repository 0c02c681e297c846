/** What a new key policy must satisfy: KMS API Reference, "PutKeyPolicy"; KMS Developer Guide, "Key policies in AWS KMS". */
import { Failure } from '../errors.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { Caller } from '../model/identities/caller.ts'
import type { Principals } from '../model/identities/principals.ts'
import { keyPolicyAction } from '../model/keys/key.ts'
import { isOfIdentityPoliciesOnly, ofIdentityPoliciesOnly, overlyPermissive } from '../model/keys/policy-conditions.ts'
import { findPartition, type Partition } from '../model/partitions.ts'
import { findOperator } from './conditions.ts'
import { decide } from './decide.ts'
import { type Condition, invalidPrincipals, malformed, parsePolicy } from './grammar.ts'
import { invalidNames, principalIdsOf } from './named-principals.ts'
import { checkNewStatement } from './new-statement.ts'
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
  for (const statement of statements) {
    if (invalidNames(statement, partition, principals).length > 0) throw invalidPrincipals()
    checkNewStatement(statement, 'resource')
    for (const condition of statement.conditions) checkCondition(condition)
  }
  return principalIdsOf(statements, partition, principals)
}

function checkCondition({ operator, key }: Condition): void {
  const name = asciiLowerCase(key)
  if (isOfIdentityPoliciesOnly(name)) throw malformed(ofIdentityPoliciesOnly)
  const [, subject] = overlyPermissive.find(([family]) => name.startsWith(family)) ?? []
  if (subject !== undefined && findOperator(operator)?.set === 'ForAllValues') {
    throw malformed(overlyPermissiveCondition(subject))
  }
}

function overlyPermissiveCondition(subject: string): string {
  return `OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key matches requests without the specified ${subject} or with an unspecified ${subject}. To fix, remove ForAllValues.`
}
