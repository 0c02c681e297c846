import { alice, type Case, defaultKeyPolicy, key, policy } from './case.ts'

const action = 'IAM User Guide, IAM JSON policy elements: Action'
const notAction = 'IAM User Guide, IAM JSON policy elements: NotAction'

function may(Action: string | readonly string[]) {
  return policy({ Effect: 'Allow', Principal: { AWS: alice }, Action, Resource: '*' })
}

function asks(name: string) {
  return { principal: alice, action: name, resource: key }
}

/** Which actions a statement covers. */
export const actions: readonly Case[] = [
  {
    title: 'An action is covered by its name',
    source: action,
    request: asks('kms:Encrypt'),
    resourcePolicy: may('kms:Encrypt'),
    decision: 'Allow',
  },
  {
    title: 'An action is not covered by a prefix of its name',
    source: action,
    request: asks('kms:GenerateDataKeyWithoutPlaintext'),
    resourcePolicy: may('kms:GenerateDataKey'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Letter case does not matter in an action of a policy',
    source: action,
    request: asks('kms:Encrypt'),
    resourcePolicy: may('KMS:encrypt'),
    decision: 'Allow',
  },
  {
    title: 'Letter case does not matter in an action with a wildcard',
    source: action,
    request: asks('kms:ReEncryptFrom'),
    resourcePolicy: may('kms:reencrypt*'),
    decision: 'Allow',
  },
  {
    title: 'One action of a list is enough',
    source: action,
    request: asks('kms:Decrypt'),
    resourcePolicy: may(['kms:Encrypt', 'kms:Decrypt']),
    decision: 'Allow',
  },
  {
    title: 'An asterisk stands for the rest of a name',
    source: action,
    request: asks('kms:GenerateDataKeyPair'),
    resourcePolicy: may('kms:GenerateDataKey*'),
    decision: 'Allow',
  },
  {
    title: 'An asterisk stands for nothing as well',
    source: action,
    request: asks('kms:GenerateDataKey'),
    resourcePolicy: may('kms:GenerateDataKey*'),
    decision: 'Allow',
  },
  {
    title: 'An asterisk in the middle of a name',
    source: action,
    request: asks('kms:ListGrants'),
    resourcePolicy: may('kms:*Grant*'),
    decision: 'Allow',
  },
  {
    title: 'A question mark stands for one character',
    source: action,
    request: asks('kms:GetKeyPolicy'),
    resourcePolicy: may('kms:?etKeyPolicy'),
    decision: 'Allow',
  },
  {
    title: 'A question mark stands for no fewer',
    source: action,
    request: asks('kms:Sign'),
    resourcePolicy: may('kms:Sign?'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'All actions of a service',
    source: action,
    request: asks('kms:ScheduleKeyDeletion'),
    resourcePolicy: may('kms:*'),
    decision: 'Allow',
  },
  {
    title: 'All actions of all services',
    source: action,
    request: asks('kms:Decrypt'),
    resourcePolicy: may('*'),
    decision: 'Allow',
  },
  {
    title: 'All actions of another service',
    source: action,
    request: asks('kms:Decrypt'),
    resourcePolicy: may(['s3:*', 'iam:*']),
    decision: 'ImplicitDeny',
  },
  {
    title: 'NotAction covers what it does not list',
    source: notAction,
    request: asks('kms:Encrypt'),
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: alice }, NotAction: 'kms:Decrypt', Resource: '*' }),
    decision: 'Allow',
  },
  {
    title: 'NotAction does not cover what it lists',
    source: notAction,
    request: asks('kms:Decrypt'),
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: alice }, NotAction: 'kms:Decrypt', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'NotAction does not cover what one of its wildcards lists',
    source: notAction,
    request: asks('kms:ScheduleKeyDeletion'),
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: alice },
      NotAction: ['kms:Put*', 'kms:schedule*'],
      Resource: '*',
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'NotAction with Deny denies all other actions',
    source: notAction,
    request: asks('kms:Encrypt'),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy(
        { Effect: 'Allow', Action: '*', Resource: '*' },
        { Effect: 'Deny', NotAction: ['iam:*', 'kms:Decrypt'], Resource: '*' },
      ),
    ],
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotAction with Deny allows nothing',
    source: notAction,
    request: asks('kms:Decrypt'),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [policy({ Effect: 'Deny', NotAction: ['iam:*', 'kms:Decrypt'], Resource: '*' })],
    decision: 'ImplicitDeny',
  },
]
