import type { Context, Policy } from '../naive-text.ts'
import { alice, allowKms, bob, type Case, key, policy, role, root, session } from './case.ts'

const logGroup = 'arn:aws:logs:us-east-1:111122223333:log-group:app'
const asks = (action: string, context: Context = {}) => ({ principal: session, action, resource: key, context })

/** Amazon CloudWatch Logs User Guide: the key serves one log group. Here a role stands in the place of the service. */
const logsPolicy: Policy = {
  Version: '2012-10-17',
  Id: 'key-default-1',
  Statement: [
    { Sid: 'Enable IAM User Permissions', Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' },
    {
      Effect: 'Allow',
      Principal: { Service: 'logs.us-east-1.amazonaws.com', AWS: role },
      Action: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      Resource: '*',
      Condition: { ArnEquals: { 'kms:EncryptionContext:aws:logs:arn': logGroup } },
    },
  ],
}
const logs = 'Amazon CloudWatch Logs User Guide, Encrypt log data in CloudWatch Logs using AWS KMS'

/** KMS Developer Guide: the statement that the console writes for key users, so that services of AWS may use the key for them. */
const keyUsers = policy(
  {
    Sid: 'Allow use of the key',
    Effect: 'Allow',
    Principal: { AWS: role },
    Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
    Resource: '*',
  },
  {
    Sid: 'Allow attachment of persistent resources',
    Effect: 'Allow',
    Principal: { AWS: role },
    Action: ['kms:CreateGrant', 'kms:ListGrants', 'kms:RevokeGrant'],
    Resource: '*',
    Condition: { Bool: { 'kms:GrantIsForAWSResource': true } },
  },
)
const persistent = 'KMS Developer Guide, Default key policy, Allows key users to use the KMS key with AWS services'

/** KMS Developer Guide, kms:ViaService: only through services, only for this account. */
const viaServices = policy({
  Effect: 'Allow',
  Principal: { AWS: '*' },
  Action: [
    'kms:Encrypt',
    'kms:Decrypt',
    'kms:ReEncrypt*',
    'kms:GenerateDataKey*',
    'kms:CreateGrant',
    'kms:DescribeKey',
  ],
  Resource: '*',
  Condition: {
    StringEquals: {
      'kms:CallerAccount': '111122223333',
      'kms:ViaService': ['ec2.us-east-1.amazonaws.com', 'rds.us-east-1.amazonaws.com'],
    },
  },
})
const viaService = 'KMS Developer Guide, kms:ViaService'

/** KMS Developer Guide: the administrators of the console. */
const administrators = policy({
  Sid: 'Allow access for Key Administrators',
  Effect: 'Allow',
  Principal: { AWS: [alice, bob] },
  Action: ['kms:Create*', 'kms:Describe*', 'kms:Enable*', 'kms:List*', 'kms:Put*', 'kms:Update*', 'kms:Revoke*'],
  Resource: '*',
})
const admin = 'KMS Developer Guide, Default key policy, Allows key administrators to administer the KMS key'

/** Policies that guides print, asked what they are meant for and what not. */
export const guidePolicies: readonly Case[] = [
  {
    title: 'The key policy for a log group allows its encryption context',
    source: logs,
    request: asks('kms:GenerateDataKey', { 'kms:EncryptionContext:aws:logs:arn': [logGroup] }),
    resourcePolicy: logsPolicy,
    decision: 'Allow',
  },
  {
    title: 'The key policy for a log group refuses that of another log group',
    source: logs,
    request: asks('kms:GenerateDataKey', { 'kms:EncryptionContext:aws:logs:arn': [`${logGroup}2`] }),
    resourcePolicy: logsPolicy,
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy for a log group refuses a request without an encryption context',
    source: logs,
    request: asks('kms:Decrypt'),
    resourcePolicy: logsPolicy,
    decision: 'ImplicitDeny',
  },
  {
    title: 'The key policy for all log groups of an account takes a wildcard',
    source: logs,
    request: asks('kms:Decrypt', { 'kms:EncryptionContext:aws:logs:arn': [logGroup] }),
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: role },
      Action: ['kms:Encrypt*', 'kms:Decrypt*'],
      Resource: '*',
      Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': 'arn:aws:logs:us-east-1:111122223333:*' } },
    }),
    decision: 'Allow',
  },
  {
    title: 'A key user may create a grant for a resource of AWS',
    source: persistent,
    request: asks('kms:CreateGrant', { 'kms:GrantIsForAWSResource': ['true'] }),
    resourcePolicy: keyUsers,
    decision: 'Allow',
  },
  {
    title: 'A key user may not create a grant directly',
    source: persistent,
    request: asks('kms:CreateGrant', { 'kms:GrantIsForAWSResource': ['false'] }),
    resourcePolicy: keyUsers,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key user may not create a grant in a request that does not have the key',
    source: persistent,
    request: asks('kms:CreateGrant'),
    resourcePolicy: keyUsers,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key user may use the key directly',
    source: persistent,
    request: asks('kms:ReEncryptFrom'),
    resourcePolicy: keyUsers,
    decision: 'Allow',
  },
  {
    title: 'A key user may not administer the key',
    source: persistent,
    request: asks('kms:PutKeyPolicy'),
    resourcePolicy: keyUsers,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key for services allows a request through one of them for its account',
    source: viaService,
    request: asks('kms:Decrypt', {
      'kms:CallerAccount': ['111122223333'],
      'kms:ViaService': ['ec2.us-east-1.amazonaws.com'],
    }),
    resourcePolicy: viaServices,
    decision: 'Allow',
  },
  {
    title: 'A key for services refuses a request through another service',
    source: viaService,
    request: asks('kms:Decrypt', {
      'kms:CallerAccount': ['111122223333'],
      'kms:ViaService': ['s3.us-east-1.amazonaws.com'],
    }),
    resourcePolicy: viaServices,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key for services refuses a direct request',
    source: viaService,
    request: asks('kms:Decrypt', { 'kms:CallerAccount': ['111122223333'] }),
    resourcePolicy: viaServices,
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key for services refuses a request for another account, whatever its policies allow',
    source: viaService,
    request: {
      principal: 'arn:aws:iam::444455556666:user/dave',
      action: 'kms:Decrypt',
      resource: key,
      context: { 'kms:CallerAccount': ['444455556666'], 'kms:ViaService': ['ec2.us-east-1.amazonaws.com'] },
    },
    resourcePolicy: viaServices,
    identityPolicies: [allowKms],
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key that is not for one service denies requests through it',
    source: viaService,
    request: asks('kms:Encrypt', { 'kms:ViaService': ['s3.us-east-1.amazonaws.com'] }),
    resourcePolicy: policy(
      { Effect: 'Allow', Principal: { AWS: role }, Action: 'kms:*', Resource: '*' },
      {
        Effect: 'Deny',
        Principal: { AWS: role },
        Action: 'kms:*',
        Resource: '*',
        Condition: { StringLike: { 'kms:ViaService': 's3.*.amazonaws.com' } },
      },
    ),
    decision: 'ExplicitDeny',
  },
  {
    title: 'An administrator may change the key policy',
    source: admin,
    request: { principal: bob, action: 'kms:PutKeyPolicy', resource: key },
    resourcePolicy: administrators,
    decision: 'Allow',
  },
  {
    title: 'An administrator may not use the key',
    source: admin,
    request: { principal: bob, action: 'kms:Decrypt', resource: key },
    resourcePolicy: administrators,
    decision: 'ImplicitDeny',
  },
  {
    title: 'An administrator may create grants, by Create*',
    source: admin,
    request: { principal: bob, action: 'kms:CreateGrant', resource: key },
    resourcePolicy: administrators,
    decision: 'Allow',
  },
  {
    title: 'An IAM policy lets its user encrypt only with the keys of two Regions',
    source: 'KMS Developer Guide, Examples of IAM policies for AWS KMS',
    request: { principal: alice, action: 'kms:Encrypt', resource: key },
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' }),
    identityPolicies: [
      policy({
        Effect: 'Allow',
        Action: ['kms:Encrypt', 'kms:GenerateDataKey'],
        Resource: ['arn:aws:kms:us-east-1:111122223333:key/*', 'arn:aws:kms:us-west-2:111122223333:key/*'],
      }),
    ],
    decision: 'Allow',
  },
  {
    title: 'An IAM policy prevents its user from disabling or deleting any key',
    source: 'KMS Developer Guide, Examples of IAM policies for AWS KMS',
    request: { principal: alice, action: 'kms:ScheduleKeyDeletion', resource: key },
    resourcePolicy: policy({ Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: '*' }),
    identityPolicies: [
      policy({ Effect: 'Deny', Action: ['kms:DisableKey', 'kms:ScheduleKeyDeletion'], Resource: '*' }),
    ],
    decision: 'ExplicitDeny',
  },
]
