// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import type { Context, Statement } from '../naive-text.ts'
import { alice, type Case, decrypt, defaultKeyPolicy, key, policy } from './case.ts'

const abac = 'KMS Developer Guide, ABAC for AWS KMS'
const tutorial = 'IAM User Guide, IAM tutorial: Define permissions to access AWS resources based on tags'
const requestTag = 'KMS Developer Guide, AWS global condition keys, aws:RequestTag'

/** An IAM policy that allows every action on every key under this condition. */
function mayIf(Condition: NonNullable<Statement['Condition']>) {
  return [policy({ Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:*:111122223333:key/*', Condition })]
}

const tagging = (context: Context) => ({ principal: alice, action: 'kms:TagResource', resource: key, context })

/** Attribute-based access control: tags of the key, of the principal and of the request. */
export const tags: readonly Case[] = [
  {
    title: 'A key with the tag that the policy names',
    source: abac,
    request: decrypt({ 'aws:ResourceTag/Purpose': ['Test'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:ResourceTag/Purpose': 'Test' } }),
    decision: 'Allow',
  },
  {
    title: 'A key with another value of the tag',
    source: abac,
    request: decrypt({ 'aws:ResourceTag/Purpose': ['Production'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:ResourceTag/Purpose': 'Test' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key without the tag',
    source: abac,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:ResourceTag/Purpose': 'Test' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The name of a tag in a condition key is not case-sensitive',
    source: 'IAM User Guide, Controlling access to AWS resources using tags',
    request: decrypt({ 'aws:ResourceTag/Purpose': ['Test'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:resourcetag/PURPOSE': 'Test' } }),
    decision: 'Allow',
  },
  ...[
    ['allows nothing', { StringEquals: { 'aws:ResourceTag/Purpose': 'Test' } }],
    ['allows nothing by a negated operator', { StringNotEquals: { 'aws:ResourceTag/Purpose': 'Production' } }],
    ['allows nothing by IfExists', { StringEqualsIfExists: { 'aws:ResourceTag/purpose': 'Test' } }],
  ].map(
    ([title, condition]): Case => ({
      title: `A condition on tags whose names differ in case only ${title}`,
      source: 'IAM User Guide, AWS global condition context keys, aws:ResourceTag',
      request: decrypt({ 'aws:ResourceTag/Purpose': ['Test', 'Trial'] }),
      resourcePolicy: defaultKeyPolicy,
      identityPolicies: mayIf(condition as NonNullable<Statement['Condition']>),
      decision: 'ImplicitDeny',
    }),
  ),
  {
    title: 'A Deny by a tag of another value applies if a second tag has a name that differs in case only',
    source: 'IAM User Guide, AWS global condition context keys, aws:RequestTag',
    request: tagging({ 'aws:RequestTag/team': ['red', 'blue'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy(
        { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
        {
          Effect: 'Deny',
          Action: '*',
          Resource: '*',
          Condition: { StringNotEquals: { 'aws:RequestTag/team': 'red' } },
        },
      ),
    ],
    decision: 'ExplicitDeny',
  },
  {
    title: 'The value of a tag is case-sensitive',
    source: 'IAM User Guide, Controlling access to AWS resources using tags',
    request: decrypt({ 'aws:ResourceTag/Purpose': ['test'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:ResourceTag/Purpose': 'Test' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The tag of the key equals the tag of the principal',
    source: tutorial,
    request: decrypt({ 'aws:ResourceTag/team': ['red'], 'aws:PrincipalTag/team': ['red'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:ResourceTag/team': '${aws:PrincipalTag/team}' } }),
    decision: 'Allow',
  },
  {
    title: 'The tag of the key differs from the tag of the principal',
    source: tutorial,
    request: decrypt({ 'aws:ResourceTag/team': ['blue'], 'aws:PrincipalTag/team': ['red'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:ResourceTag/team': '${aws:PrincipalTag/team}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A principal without the tag has no access to a key without the tag',
    source: tutorial,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:ResourceTag/team': '${aws:PrincipalTag/team}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy compares the tag of the principal with the encryption context',
    source: abac,
    request: decrypt({ 'aws:PrincipalTag/project': ['alpha'], 'kms:EncryptionContext:project': ['alpha'] }),
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: alice },
      Action: ['kms:Encrypt', 'kms:Decrypt'],
      Resource: '*',
      Condition: { StringEquals: { 'kms:EncryptionContext:project': '${aws:PrincipalTag/project}' } },
    }),
    decision: 'Allow',
  },
  {
    title: 'A Deny on every key without the tag spares one with it',
    source: abac,
    request: decrypt({ 'aws:ResourceTag/Approved': ['yes'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy(
        { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
        {
          Effect: 'Deny',
          Action: 'kms:Decrypt',
          Resource: '*',
          Condition: { Null: { 'aws:ResourceTag/Approved': 'true' } },
        },
      ),
    ],
    decision: 'Allow',
  },
  {
    title: 'A Deny on every key without the tag denies one without it',
    source: abac,
    request: decrypt({ 'aws:ResourceTag/Other': ['yes'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy(
        { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
        {
          Effect: 'Deny',
          Action: 'kms:Decrypt',
          Resource: '*',
          Condition: { Null: { 'aws:ResourceTag/Approved': 'true' } },
        },
      ),
    ],
    decision: 'ExplicitDeny',
  },
  {
    title: 'A tag may be put on a key only with its own value',
    source: requestTag,
    request: tagging({ 'aws:RequestTag/Project': ['Beta'], 'aws:TagKeys': ['Project'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({ StringEquals: { 'aws:RequestTag/Project': 'Alpha' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Only listed tags may be put on a key, and they are',
    source: 'KMS Developer Guide, AWS global condition keys, aws:TagKeys',
    request: tagging({ 'aws:RequestTag/Project': ['Beta'], 'aws:TagKeys': ['Project'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({
      Null: { 'aws:TagKeys': 'false' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project', 'Stage'] },
    }),
    decision: 'Allow',
  },
  {
    title: 'Only listed tags may be put on a key, and one is not',
    source: 'KMS Developer Guide, AWS global condition keys, aws:TagKeys',
    request: tagging({ 'aws:TagKeys': ['Project', 'Approved'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: mayIf({
      Null: { 'aws:TagKeys': 'false' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project', 'Stage'] },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A protected tag may not be taken off',
    source: 'KMS Developer Guide, Controlling access to tags',
    request: { principal: alice, action: 'kms:UntagResource', resource: key, context: { 'aws:TagKeys': ['Approved'] } },
    resourcePolicy: policy(
      { Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: '*' },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: ['kms:TagResource', 'kms:UntagResource'],
        Resource: '*',
        Condition: { 'ForAnyValue:StringEqualsIgnoreCase': { 'aws:TagKeys': 'approved' } },
      },
    ),
    decision: 'ExplicitDeny',
  },
  {
    title: 'A key is created only with a tag',
    source: requestTag,
    request: { principal: alice, action: 'kms:CreateKey', resource: '*', context: { 'aws:TagKeys': ['Stage'] } },
    identityPolicies: [
      policy({
        Effect: 'Allow',
        Action: 'kms:CreateKey',
        Resource: '*',
        Condition: { StringLike: { 'aws:RequestTag/Project': '*' } },
      }),
    ],
    decision: 'ImplicitDeny',
  },
]
