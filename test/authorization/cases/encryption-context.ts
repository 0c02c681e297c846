// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import type { Context, Statement } from '../naive-text.ts'
import { type Case, foreignRoot, key, policy, role, session } from './case.ts'

const page = 'KMS Developer Guide, AWS KMS condition keys, kms:EncryptionContext:context-key'
const many = `${page}, Using multiple encryption context pairs`
const letterCase = `${page}, Case sensitivity of the encryption context condition`
const variables = `${page}, Using variables in an encryption context condition`
const evaluation = 'KMS Developer Guide, Troubleshooting AWS KMS permissions'

/** The condition keys that a request with this encryption context has. */
function withPairs(pairs: Readonly<Record<string, string>>, others: Context = {}) {
  const context = {
    ...Object.fromEntries(Object.entries(pairs).map(([name, value]) => [`kms:EncryptionContext:${name}`, [value]])),
    ...(Object.keys(pairs).length > 0 && { 'kms:EncryptionContextKeys': Object.keys(pairs) }),
    ...others,
  }
  return { principal: session, action: 'kms:GenerateDataKey', resource: key, context }
}

function mayIf(...conditions: NonNullable<Statement['Condition']>[]) {
  return policy(
    ...conditions.map(
      Condition =>
        ({
          Effect: 'Allow',
          Principal: { AWS: role },
          Action: 'kms:GenerateDataKey',
          Resource: '*',
          Condition,
        }) as const,
    ),
  )
}

const onlyAppName = mayIf({
  StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' },
  'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['AppName'] },
})
const bothPairs = mayIf({
  StringEquals: { 'kms:EncryptionContext:Department': 'IT', 'kms:EncryptionContext:Project': 'Alpha' },
})
const eitherPair = mayIf(
  { StringEquals: { 'kms:EncryptionContext:Department': 'IT' } },
  { StringEquals: { 'kms:EncryptionContext:Project': 'Alpha' } },
)
const exactlyBothPairs = mayIf({
  StringEquals: { 'kms:EncryptionContext:Department': 'IT', 'kms:EncryptionContext:Project': 'Alpha' },
  'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['Department', 'Project'] },
})
const notRestricted = policy(
  { Effect: 'Allow', Principal: { AWS: role }, Action: 'kms:*', Resource: '*' },
  {
    Effect: 'Deny',
    Principal: { AWS: role },
    Action: 'kms:GenerateDataKey',
    Resource: '*',
    Condition: { StringEquals: { 'kms:EncryptionContext:Stage': ['Restricted', 'Production'] } },
  },
)
const sensitive = mayIf({
  'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' },
  StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' },
})

/** The examples of the guide on encryption contexts, and how KMS goes through its policies. */
export const encryptionContexts: readonly Case[] = [
  {
    title: 'A pair and no other: the pair',
    source: page,
    request: withPairs({ AppName: 'ExampleApp' }),
    resourcePolicy: onlyAppName,
    decision: 'Allow',
  },
  {
    title: 'A pair and no other: another beside it',
    source: page,
    request: withPairs({ AppName: 'ExampleApp', Stage: 'Test' }),
    resourcePolicy: onlyAppName,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A pair and no other: no encryption context',
    source: page,
    request: withPairs({}),
    resourcePolicy: onlyAppName,
    decision: 'ImplicitDeny',
  },
  {
    title: 'Two pairs: both',
    source: many,
    request: withPairs({ Department: 'IT', Project: 'Alpha', Stage: 'Test' }),
    resourcePolicy: bothPairs,
    decision: 'Allow',
  },
  {
    title: 'Two pairs: one',
    source: many,
    request: withPairs({ Department: 'IT', Project: 'Beta' }),
    resourcePolicy: bothPairs,
    decision: 'ImplicitDeny',
  },
  {
    title: 'One pair or the other: the second',
    source: many,
    request: withPairs({ Project: 'Alpha' }),
    resourcePolicy: eitherPair,
    decision: 'Allow',
  },
  {
    title: 'One pair or the other: neither',
    source: many,
    request: withPairs({ Project: 'Beta' }),
    resourcePolicy: eitherPair,
    decision: 'ImplicitDeny',
  },
  {
    title: 'Exactly two pairs: a third beside them',
    source: many,
    request: withPairs({ Department: 'IT', Project: 'Alpha', Stage: 'Test' }),
    resourcePolicy: exactlyBothPairs,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A forbidden value of a pair',
    source: many,
    request: withPairs({ Stage: 'Production' }),
    resourcePolicy: notRestricted,
    decision: 'ExplicitDeny',
  },
  {
    title: 'A value of the pair that is not forbidden',
    source: many,
    request: withPairs({ Stage: 'Test' }),
    resourcePolicy: notRestricted,
    decision: 'Allow',
  },
  {
    title: 'The letter case of a pair does not matter in the name of a condition key',
    source: letterCase,
    request: withPairs({ APPNAME: 'ExampleApp' }),
    resourcePolicy: mayIf({ StringEquals: { 'kms:EncryptionContext:Appname': 'ExampleApp' } }),
    decision: 'Allow',
  },
  {
    title: 'The letter case of a pair matters in kms:EncryptionContextKeys',
    source: letterCase,
    request: withPairs({ appname: 'ExampleApp' }),
    resourcePolicy: sensitive,
    decision: 'ImplicitDeny',
  },
  {
    title: 'The letter case of key and value matters with both condition keys',
    source: letterCase,
    request: withPairs({ AppName: 'ExampleApp' }),
    resourcePolicy: sensitive,
    decision: 'Allow',
  },
  {
    title: 'A pair is compared with a variable',
    source: variables,
    request: withPairs({ userid: 'AROAEXAMPLE:worker-1' }, { 'aws:userid': ['AROAEXAMPLE:worker-1'] }),
    resourcePolicy: mayIf({ StringEquals: { 'kms:EncryptionContext:userid': '${aws:userid}' } }),
    decision: 'Allow',
  },
  {
    title: 'A pair that a caller writes as a variable is text',
    source: variables,
    request: withPairs({ userid: '${aws:userid}' }, { 'aws:userid': ['AROAEXAMPLE:worker-1'] }),
    resourcePolicy: mayIf({ StringEquals: { 'kms:EncryptionContext:userid': '${aws:userid}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Example 1: the account is named and no IAM policy allows Alice',
    source: evaluation,
    request: { principal: 'arn:aws:iam::111122223333:user/Alice', action: 'kms:Encrypt', resource: key },
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::111122223333:root' },
      Action: 'kms:*',
      Resource: '*',
    }),
    identityPolicies: [policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' })],
    decision: 'ImplicitDeny',
  },
  {
    title:
      "Example 2: Bob assumes the role of another account, which that account's key policy and the role's policy allow",
    source: evaluation,
    request: {
      principal: 'arn:aws:sts::444455556666:assumed-role/ExampleRole/Bob',
      action: 'kms:Encrypt',
      resource: key,
    },
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: foreignRoot },
      Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
      Resource: '*',
    }),
    identityPolicies: [policy({ Effect: 'Allow', Action: ['kms:Encrypt', 'kms:Decrypt'], Resource: key })],
    decision: 'Allow',
  },
]
