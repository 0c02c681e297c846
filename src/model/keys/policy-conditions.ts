/** What the policy of a key may not ask for, by condition key in lower case. */

/**
 * A key policy is about one key, whose tags and aliases are known: KMS Developer Guide, "Use tags to control access to KMS keys". The message
 * was recorded on AWS in 2021.
 */
export function isOfIdentityPoliciesOnly(name: string): boolean {
  return name === 'kms:resourcealiases' || name.startsWith('aws:resourcetag/')
}

export const ofIdentityPoliciesOnly =
  'These condition keys are not permitted in a key policy: aws:ResourceTag, kms:ResourceTag, kms:ResourceAliases'

/**
 * Keys with one value, with which ForAllValues lets requests without them through; each with what AWS's message calls it. KMS Developer
 * Guide, "AWS KMS condition keys".
 */
export const overlyPermissive: readonly (readonly [family: string, subject: string])[] = [
  ['kms:encryptioncontext:', 'encryption context'],
  ['aws:requesttag/', 'tag'],
]
