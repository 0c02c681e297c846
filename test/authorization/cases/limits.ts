import {
  alice,
  allowKms,
  bob,
  type Case,
  decrypt,
  defaultKeyPolicy,
  federatedUser,
  key,
  policy,
  role,
  root,
  session,
} from './case.ts'

const boundaries = 'IAM User Guide, Permissions boundaries for IAM entities'
const effective = `${boundaries}, Evaluating effective permissions with boundaries`
const sessions = 'IAM User Guide, Policies and permissions in IAM, Session policies'
const resourceBased = 'IAM User Guide, Policy evaluation logic, Resource-based policies'

const bySession = { principal: session, action: 'kms:Decrypt', resource: key }
const byFederatedUser = { principal: federatedUser, action: 'kms:Decrypt', resource: key }

const onlyDescribe = policy({ Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*' })
const noDecrypt = policy(
  { Effect: 'Allow', Action: '*', Resource: '*' },
  { Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' },
)

function naming(principal: string) {
  return policy({ Effect: 'Allow', Principal: { AWS: principal }, Action: 'kms:*', Resource: '*' })
}

/** Permissions boundaries. */
export const permissionsBoundaries: readonly Case[] = [
  {
    title: 'What a boundary and an identity-based policy both allow is allowed',
    source: effective,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    permissionsBoundary: policy({ Effect: 'Allow', Action: ['kms:Decrypt', 'kms:Encrypt'], Resource: '*' }),
    decision: 'Allow',
  },
  {
    title: 'What a boundary does not allow is denied',
    source: effective,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    permissionsBoundary: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A boundary allows nothing by itself',
    source: boundaries,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    permissionsBoundary: allowKms,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A deny in a boundary is explicit',
    source: effective,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    permissionsBoundary: noDecrypt,
    decision: 'ExplicitDeny',
  },
  {
    title: 'A boundary does not limit a key policy that names the user',
    source: resourceBased,
    request: decrypt(),
    resourcePolicy: naming(alice),
    permissionsBoundary: onlyDescribe,
    decision: 'Allow',
  },
  {
    title: 'A deny in a boundary counts against a key policy that names the user',
    source: resourceBased,
    request: decrypt(),
    resourcePolicy: naming(alice),
    permissionsBoundary: noDecrypt,
    decision: 'ExplicitDeny',
  },
  {
    title: 'A boundary limits a key policy that names the role',
    source: resourceBased,
    request: bySession,
    resourcePolicy: naming(role),
    permissionsBoundary: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key policy that names the role needs no identity-based policy within the boundary',
    source: effective,
    request: bySession,
    resourcePolicy: naming(role),
    permissionsBoundary: allowKms,
    decision: 'Allow',
  },
  {
    title: 'A boundary does not limit a key policy that names the session',
    source: resourceBased,
    request: bySession,
    resourcePolicy: naming(session),
    permissionsBoundary: onlyDescribe,
    decision: 'Allow',
  },
  {
    title: 'A boundary does not limit a key policy for everybody with the ARN of the role as aws:PrincipalArn',
    source: 'IAM User Guide, AWS JSON policy elements: Principal, IAM role principals',
    request: { ...bySession, context: { 'aws:PrincipalArn': [role] } },
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: '*',
      Action: 'kms:*',
      Resource: '*',
      Condition: { ArnEquals: { 'aws:PrincipalArn': role } },
    }),
    permissionsBoundary: onlyDescribe,
    decision: 'Allow',
  },
  {
    title: 'A boundary limits the permissions that a key policy hands to the account',
    source: effective,
    request: bySession,
    resourcePolicy: naming(root),
    identityPolicies: [allowKms],
    permissionsBoundary: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A boundary limits operations that act on no key',
    source: effective,
    request: { principal: alice, action: 'kms:CreateKey', resource: '*' },
    identityPolicies: [allowKms],
    permissionsBoundary: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'Conditions of a boundary limit',
    source: effective,
    request: { ...decrypt(), context: { 'aws:RequestedRegion': ['us-east-1'] } },
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    permissionsBoundary: policy({
      Effect: 'Allow',
      Action: '*',
      Resource: '*',
      Condition: { StringEquals: { 'aws:RequestedRegion': ['eu-west-1', 'eu-central-1'] } },
    }),
    decision: 'ImplicitDeny',
  },
]

/** Session policies. */
export const sessionPolicies: readonly Case[] = [
  {
    title: 'What a session policy and the policies of the role both allow is allowed',
    source: sessions,
    request: bySession,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    sessionPolicy: policy({ Effect: 'Allow', Action: 'kms:Decrypt', Resource: key }),
    decision: 'Allow',
  },
  {
    title: 'What a session policy does not allow is denied',
    source: sessions,
    request: bySession,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    sessionPolicy: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A session policy allows nothing that the role may not do',
    source: sessions,
    request: bySession,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [onlyDescribe],
    sessionPolicy: allowKms,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A deny in a session policy is explicit',
    source: sessions,
    request: bySession,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    sessionPolicy: noDecrypt,
    decision: 'ExplicitDeny',
  },
  {
    title: 'A session policy limits a key policy that names the role',
    source: resourceBased,
    request: bySession,
    resourcePolicy: naming(role),
    sessionPolicy: onlyDescribe,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A session policy that allows leaves a key policy that names the role enough',
    source: resourceBased,
    request: bySession,
    resourcePolicy: naming(role),
    sessionPolicy: allowKms,
    decision: 'Allow',
  },
  {
    title: 'A session policy does not limit a key policy that names the session',
    source: sessions,
    request: bySession,
    resourcePolicy: naming(session),
    sessionPolicy: onlyDescribe,
    decision: 'Allow',
  },
  {
    title: 'A deny in a session policy counts against a key policy that names the session',
    source: sessions,
    request: bySession,
    resourcePolicy: naming(session),
    sessionPolicy: noDecrypt,
    decision: 'ExplicitDeny',
  },
  {
    title: 'A session policy does not limit a key policy that names the federated user',
    source: resourceBased,
    request: byFederatedUser,
    resourcePolicy: naming(federatedUser),
    sessionPolicy: onlyDescribe,
    decision: 'Allow',
  },
  {
    title: 'A key policy that names another user allows a federated user nothing',
    source: resourceBased,
    request: byFederatedUser,
    resourcePolicy: naming(bob),
    sessionPolicy: allowKms,
    decision: 'ImplicitDeny',
  },
  {
    title: 'Identity-based policy, boundary and session policy must all allow: they do',
    source: effective,
    request: bySession,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    permissionsBoundary: policy({ Effect: 'Allow', Action: 'kms:De*', Resource: '*' }),
    sessionPolicy: policy({ Effect: 'Allow', Action: 'kms:*crypt', Resource: '*' }),
    decision: 'Allow',
  },
  {
    title: 'Identity-based policy, boundary and session policy must all allow: the boundary does not',
    source: effective,
    request: bySession,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    permissionsBoundary: onlyDescribe,
    sessionPolicy: policy({ Effect: 'Allow', Action: 'kms:*crypt', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Identity-based policy, boundary and session policy must all allow: the session policy does not',
    source: effective,
    request: bySession,
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [allowKms],
    permissionsBoundary: allowKms,
    sessionPolicy: policy({ Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
]
