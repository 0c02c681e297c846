import { alias, alice, type Case, decrypt, defaultKeyPolicy, key, otherKey, policy } from './case.ts'

const resource = 'IAM User Guide, IAM JSON policy elements: Resource'
const notResource = 'IAM User Guide, IAM JSON policy elements: NotResource'

function on(Resource: string | readonly string[]) {
  return [policy({ Effect: 'Allow', Action: 'kms:*', Resource })]
}

/** Which resources a statement covers. */
export const resources: readonly Case[] = [
  {
    title: 'A key is covered by its ARN',
    source: 'KMS Developer Guide, Specifying KMS keys in IAM policy statements',
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on(key),
    decision: 'Allow',
  },
  {
    title: 'One ARN of a list is enough',
    source: resource,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on([otherKey, key]),
    decision: 'Allow',
  },
  {
    title: 'All keys of an account and Region',
    source: 'KMS Developer Guide, Specifying KMS keys in IAM policy statements',
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on('arn:aws:kms:us-east-1:111122223333:key/*'),
    decision: 'Allow',
  },
  {
    title: 'All keys of an account in all Regions',
    source: 'KMS Developer Guide, Specifying KMS keys in IAM policy statements',
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on('arn:aws:kms:*:111122223333:key/*'),
    decision: 'Allow',
  },
  {
    title: 'All keys of another Region',
    source: 'KMS Developer Guide, Specifying KMS keys in IAM policy statements',
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on('arn:aws:kms:eu-west-1:111122223333:key/*'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'All keys of another account',
    source: 'KMS Developer Guide, Specifying KMS keys in IAM policy statements',
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on('arn:aws:kms:*:444455556666:key/*'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The ARN of an alias does not cover its key',
    source: 'KMS Developer Guide, Specifying KMS keys in IAM policy statements',
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on(alias),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key ID is no ARN',
    source: 'KMS Developer Guide, Specifying KMS keys in IAM policy statements',
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy({ Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:us-east-1:111122223333:key' }),
    ],
    decision: 'ImplicitDeny',
  },
  {
    title: 'Letter case matters in a resource',
    source: resource,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on('arn:aws:kms:us-east-1:111122223333:KEY/*'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A question mark stands for one character of an ARN',
    source: `${resource}, Using wildcards in resource ARNs`,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on('arn:aws:kms:us-????-?:111122223333:key/1234abcd-*'),
    decision: 'Allow',
  },
  {
    title: 'An asterisk at the end of a part of an ARN goes on beyond the colons',
    source: `${resource}, Using wildcards in resource ARNs`,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: on('arn:aws:kms:us-*'),
    decision: 'Allow',
  },
  {
    title: 'NotResource covers what it does not list',
    source: notResource,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [policy({ Effect: 'Allow', Action: 'kms:*', NotResource: otherKey })],
    decision: 'Allow',
  },
  {
    title: 'NotResource does not cover what it lists',
    source: notResource,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [policy({ Effect: 'Allow', Action: 'kms:*', NotResource: [otherKey, key] })],
    decision: 'ImplicitDeny',
  },
  {
    title: 'NotResource with Deny spares what it lists',
    source: notResource,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy(
        { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
        { Effect: 'Deny', Action: 'kms:*', NotResource: 'arn:aws:kms:us-east-1:111122223333:key/*' },
      ),
    ],
    decision: 'Allow',
  },
  {
    title: 'NotResource with Deny denies what it does not list',
    source: notResource,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy(
        { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
        { Effect: 'Deny', Action: 'kms:*', NotResource: 'arn:aws:kms:eu-*:111122223333:key/*' },
      ),
    ],
    decision: 'ExplicitDeny',
  },
  {
    title: 'The asterisk in a key policy stands for the key',
    source: 'KMS Developer Guide, Key policies, Resource',
    request: decrypt(),
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: '*' }),
    decision: 'Allow',
  },
  {
    title: 'A key policy may name the key by its ARN',
    source: 'KMS Developer Guide, Key policies, Resource',
    request: decrypt(),
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: key }),
    decision: 'Allow',
  },
  {
    title: 'A statement of a key policy on another key has no effect',
    source: 'KMS Developer Guide, Key policies, Resource',
    request: decrypt(),
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: otherKey }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A statement of a key policy without Resource has no effect',
    source: 'KMS Developer Guide, Key policies, Resource',
    request: decrypt(),
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*' }),
    decision: 'ImplicitDeny',
  },
]
