import {
  alice,
  allowKms,
  type Case,
  dave,
  defaultKeyPolicy,
  foreignRole,
  foreignRoot,
  foreignSession,
  key,
  otherAccount,
  otherKey,
  policy,
  root,
} from './case.ts'

const crossAccount = 'IAM User Guide, Cross-account policy evaluation logic'
const external = 'KMS Developer Guide, Allowing users in other accounts to use a KMS key'

const byDave = { principal: dave, action: 'kms:Decrypt', resource: key }
const byAudit = { principal: foreignSession, action: 'kms:Decrypt', resource: key }

function naming(principal: string | readonly string[]) {
  return policy({ Effect: 'Allow', Principal: { AWS: principal }, Action: 'kms:*', Resource: '*' })
}

const onKey = policy({ Effect: 'Allow', Action: ['kms:Encrypt', 'kms:Decrypt'], Resource: key })
const onlyDescribe = policy({ Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*' })

/** Callers of another account: both accounts must allow. */
export const crossAccountCases: readonly Case[] = [
  {
    title: 'The key policy names the account and the user has the permission',
    source: external,
    request: byDave,
    resourcePolicy: naming(foreignRoot),
    identityPolicies: [onKey],
    decision: 'Allow',
  },
  {
    title: 'The key policy names the account by its number',
    source: external,
    request: byDave,
    resourcePolicy: naming([root, otherAccount]),
    identityPolicies: [onKey],
    decision: 'Allow',
  },
  {
    title: 'The key policy names the account and the user has no permission',
    source: external,
    request: byDave,
    resourcePolicy: naming(foreignRoot),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy names the user who has the permission',
    source: external,
    request: byDave,
    resourcePolicy: naming(dave),
    identityPolicies: [onKey],
    decision: 'Allow',
  },
  {
    title: 'The key policy names the user who has no permission',
    source: external,
    request: byDave,
    resourcePolicy: naming(dave),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy names the user who has the permission for another key',
    source: external,
    request: byDave,
    resourcePolicy: naming(dave),
    identityPolicies: [policy({ Effect: 'Allow', Action: 'kms:*', Resource: otherKey })],
    decision: 'ImplicitDeny',
  },
  {
    title: 'The user has the permission and the key policy names only the account of the key',
    source: crossAccount,
    request: byDave,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    decision: 'ImplicitDeny',
  },
  {
    title: 'The user has the permission and the key policy names another user',
    source: crossAccount,
    request: byDave,
    resourcePolicy: naming([root, alice, 'arn:aws:iam::444455556666:user/frank']),
    identityPolicies: [allowKms],
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy names the role whose session has the permission',
    source: external,
    request: byAudit,
    resourcePolicy: naming(foreignRole),
    identityPolicies: [onKey],
    decision: 'Allow',
  },
  {
    title: 'The key policy names the session and the role has no permission',
    source: crossAccount,
    request: byAudit,
    resourcePolicy: naming(foreignSession),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy names the account of a role that has the permission',
    source: external,
    request: byAudit,
    resourcePolicy: naming(foreignRoot),
    identityPolicies: [onKey],
    decision: 'Allow',
  },
  {
    title: 'The key policy allows everybody and the user has no permission',
    source: 'IAM User Guide, AWS JSON policy elements: Principal, All principals',
    request: byDave,
    resourcePolicy: policy({ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy allows everybody and the user has the permission',
    source: 'IAM User Guide, AWS JSON policy elements: Principal, All principals',
    request: byDave,
    resourcePolicy: policy({ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }),
    identityPolicies: [onKey],
    decision: 'Allow',
  },
  {
    title: 'The key policy allows another action than the user has the permission for',
    source: crossAccount,
    request: byDave,
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: foreignRoot }, Action: 'kms:Encrypt', Resource: '*' }),
    identityPolicies: [onKey],
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy denies the user of an account that it allows',
    source: crossAccount,
    request: byDave,
    resourcePolicy: policy(
      { Effect: 'Allow', Principal: { AWS: foreignRoot }, Action: 'kms:*', Resource: '*' },
      { Effect: 'Deny', Principal: { AWS: dave }, Action: 'kms:Decrypt', Resource: '*' },
    ),
    identityPolicies: [onKey],
    decision: 'ExplicitDeny',
  },
  {
    title: "The user's own account denies",
    source: crossAccount,
    request: byDave,
    resourcePolicy: naming(dave),
    identityPolicies: [onKey, policy({ Effect: 'Deny', Action: 'kms:*', Resource: '*' })],
    decision: 'ExplicitDeny',
  },
  {
    title: 'The boundary of a user of another account limits, though the key policy names the user',
    source: crossAccount,
    request: byDave,
    resourcePolicy: naming(dave),
    identityPolicies: [onKey],
    permissionsBoundary: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'The session policy of a session of another account limits, though the key policy names the session',
    source: crossAccount,
    request: byAudit,
    resourcePolicy: naming(foreignSession),
    identityPolicies: [onKey],
    sessionPolicy: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'The root user of another account needs only the key policy',
    source: external,
    request: { principal: foreignRoot, action: 'kms:Decrypt', resource: key },
    resourcePolicy: naming(foreignRoot),
    decision: 'Allow',
  },
  {
    title: 'A condition of the key policy counts for another account: met',
    source: 'KMS Developer Guide, kms:CallerAccount',
    request: { ...byDave, context: { 'kms:CallerAccount': [otherAccount] } },
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: 'kms:*',
      Resource: '*',
      Condition: { StringEquals: { 'kms:CallerAccount': ['111122223333', otherAccount] } },
    }),
    identityPolicies: [onKey],
    decision: 'Allow',
  },
  {
    title: 'A condition of the key policy counts for another account: not met',
    source: 'KMS Developer Guide, kms:CallerAccount',
    request: { ...byDave, context: { 'kms:CallerAccount': [otherAccount] } },
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: 'kms:*',
      Resource: '*',
      Condition: { StringEquals: { 'kms:CallerAccount': '111122223333' } },
    }),
    identityPolicies: [onKey],
    decision: 'ImplicitDeny',
  },
]
