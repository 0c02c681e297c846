import type { Context } from '../naive-text.ts'
import { alice, aliceIf, aliceUnless, type Case, decrypt, defaultKeyPolicy, key, policy } from './case.ts'

const guide = (name: string) => `KMS Developer Guide, AWS KMS condition keys, ${name}`
const asks = (action: string, context: Context) => ({ principal: alice, action, resource: key, context })

const contextKeys = ['AppName', 'FilePath']

/** kms:ResourceAliases is for IAM policies only. */
const mayUseTestKeys = policy({
  Effect: 'Allow',
  Action: 'kms:*',
  Resource: '*',
  Condition: { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/test*' } },
})

/** Condition keys of KMS, on the values that a request has. */
export const kmsConditionKeys: readonly Case[] = [
  {
    title: 'kms:EncryptionContext:KEY compares the value of a pair',
    source: guide('kms:EncryptionContext:context-key'),
    request: decrypt({ 'kms:EncryptionContext:AppName': ['ExampleApp'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' } }),
    decision: 'Allow',
  },
  {
    title: 'kms:EncryptionContext:KEY distinguishes letter case in the value',
    source: guide('kms:EncryptionContext:context-key'),
    request: decrypt({ 'kms:EncryptionContext:AppName': ['exampleapp'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:EncryptionContext:KEY does not distinguish letter case in the key',
    source: guide('kms:EncryptionContext:context-key'),
    request: decrypt({ 'kms:EncryptionContext:appname': ['ExampleApp'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' } }),
    decision: 'Allow',
  },
  {
    title: 'kms:EncryptionContext:KEY requires all pairs that it lists: one is missing',
    source: guide('kms:EncryptionContext:context-key'),
    request: decrypt({ 'kms:EncryptionContext:AppName': ['ExampleApp'] }),
    resourcePolicy: aliceIf({
      StringEquals: {
        'kms:EncryptionContext:AppName': 'ExampleApp',
        'kms:EncryptionContext:FilePath': '/var/opt/secrets/',
      },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:EncryptionContext:KEY takes wildcards with StringLike',
    source: guide('kms:EncryptionContext:context-key'),
    request: decrypt({ 'kms:EncryptionContext:aws:s3:arn': ['arn:aws:s3:::reports/2026/june'] }),
    resourcePolicy: aliceIf({ StringLike: { 'kms:EncryptionContext:aws:s3:arn': 'arn:aws:s3:::reports/*' } }),
    decision: 'Allow',
  },
  {
    title: 'kms:EncryptionContext:KEY leaves further pairs alone',
    source: guide('kms:EncryptionContext:context-key'),
    request: decrypt({
      'kms:EncryptionContext:AppName': ['ExampleApp'],
      'kms:EncryptionContext:Other': ['x'],
      'kms:EncryptionContextKeys': ['AppName', 'Other'],
    }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' } }),
    decision: 'Allow',
  },
  {
    title: 'kms:EncryptionContextKeys with ForAnyValue requires one of the keys',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt({ 'kms:EncryptionContextKeys': ['Stage', 'AppName'] }),
    resourcePolicy: aliceIf({ 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' } }),
    decision: 'Allow',
  },
  {
    title: 'kms:EncryptionContextKeys with ForAnyValue refuses a request without an encryption context',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt(),
    resourcePolicy: aliceIf({ 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:EncryptionContextKeys with ForAllValues refuses a further key',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt({ 'kms:EncryptionContextKeys': ['AppName', 'Stage'] }),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': contextKeys } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:EncryptionContextKeys with ForAllValues allows a request without an encryption context',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt(),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': contextKeys } }),
    decision: 'Allow',
  },
  {
    title: 'kms:EncryptionContextKeys with ForAllValues and Null refuses a request without an encryption context',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt(),
    resourcePolicy: aliceIf({
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': contextKeys },
      Null: { 'kms:EncryptionContextKeys': false },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:EncryptionContextKeys with ForAllValues and Null allows one of the keys',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt({ 'kms:EncryptionContextKeys': ['AppName'] }),
    resourcePolicy: aliceIf({
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': contextKeys },
      Null: { 'kms:EncryptionContextKeys': false },
    }),
    decision: 'Allow',
  },
  {
    title: 'kms:EncryptionContextKeys with ForAllValues and ForAnyValue wants exactly the keys: one is missing',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt({ 'kms:EncryptionContextKeys': ['FilePath'] }),
    resourcePolicy: aliceIf({
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': contextKeys },
      'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Null on kms:EncryptionContextKeys denies a request without an encryption context',
    source: guide('kms:EncryptionContextKeys'),
    request: decrypt(),
    resourcePolicy: aliceUnless({ Null: { 'kms:EncryptionContextKeys': 'true' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'kms:BypassPolicyLockoutSafetyCheck denies a request that bypasses the check',
    source: guide('kms:BypassPolicyLockoutSafetyCheck'),
    request: asks('kms:PutKeyPolicy', { 'kms:BypassPolicyLockoutSafetyCheck': ['true'] }),
    resourcePolicy: aliceUnless({ Bool: { 'kms:BypassPolicyLockoutSafetyCheck': true } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'kms:BypassPolicyLockoutSafetyCheck with Null denies a request that mentions it',
    source: guide('kms:BypassPolicyLockoutSafetyCheck'),
    request: asks('kms:PutKeyPolicy', { 'kms:BypassPolicyLockoutSafetyCheck': ['false'] }),
    resourcePolicy: aliceUnless({ Null: { 'kms:BypassPolicyLockoutSafetyCheck': 'false' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'kms:KeySpec matches a list of specs',
    source: guide('kms:KeySpec'),
    request: asks('kms:Sign', { 'kms:KeySpec': ['RSA_4096'] }),
    resourcePolicy: aliceIf({ StringLike: { 'kms:KeySpec': 'RSA_*' } }),
    decision: 'Allow',
  },
  {
    title: 'kms:KeyUsage and kms:KeySpec must both match',
    source: guide('kms:KeyUsage'),
    request: asks('kms:Encrypt', { 'kms:KeySpec': ['RSA_4096'], 'kms:KeyUsage': ['ENCRYPT_DECRYPT'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:KeyUsage': 'SIGN_VERIFY', 'kms:KeySpec': 'RSA_4096' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:MultiRegion takes a boolean',
    source: guide('kms:MultiRegion'),
    request: asks('kms:Encrypt', { 'kms:MultiRegion': ['true'], 'kms:MultiRegionKeyType': ['PRIMARY'] }),
    resourcePolicy: aliceIf({ Bool: { 'kms:MultiRegion': true } }),
    decision: 'Allow',
  },
  {
    title: 'kms:SigningAlgorithm refuses an algorithm of the listed family',
    source: guide('kms:SigningAlgorithm'),
    request: asks('kms:Sign', { 'kms:SigningAlgorithm': ['RSASSA_PKCS1_V1_5_SHA_256'] }),
    resourcePolicy: aliceUnless({ StringLike: { 'kms:SigningAlgorithm': 'RSASSA_PKCS1_V1_5*' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'kms:EncryptionAlgorithm allows the one of the request',
    source: guide('kms:EncryptionAlgorithm'),
    request: asks('kms:Encrypt', { 'kms:EncryptionAlgorithm': ['RSAES_OAEP_SHA_256'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_256' } }),
    decision: 'Allow',
  },
  {
    title: 'kms:RequestAlias refuses a request by key ID, which has none',
    source: guide('kms:RequestAlias'),
    request: decrypt(),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:RequestAlias': 'alias/ProjectKey' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:ResourceAliases with ForAnyValue matches one alias of the key',
    source: guide('kms:ResourceAliases'),
    request: decrypt({ 'kms:ResourceAliases': ['alias/test/orders', 'alias/legacy'] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [mayUseTestKeys],
    decision: 'Allow',
  },
  {
    title: 'kms:ResourceAliases with ForAnyValue refuses a key without aliases',
    source: guide('kms:ResourceAliases'),
    request: decrypt({ 'kms:ResourceAliases': [] }),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [mayUseTestKeys],
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:GrantOperations with ForAllValues allows fewer operations',
    source: guide('kms:GrantOperations'),
    request: asks('kms:CreateGrant', { 'kms:GrantOperations': ['Encrypt'] }),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt', 'Decrypt'] } }),
    decision: 'Allow',
  },
  {
    title: 'kms:GrantOperations with ForAllValues refuses a further operation',
    source: guide('kms:GrantOperations'),
    request: asks('kms:CreateGrant', { 'kms:GrantOperations': ['Encrypt', 'CreateGrant'] }),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt', 'Decrypt'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:GrantConstraintType refuses a grant without constraints',
    source: guide('kms:GrantConstraintType'),
    request: asks('kms:CreateGrant', { 'kms:GrantOperations': ['Decrypt'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:GrantConstraintType': 'EncryptionContextEquals' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:GranteePrincipal allows one grantee',
    source: guide('kms:GranteePrincipal'),
    request: asks('kms:CreateGrant', { 'kms:GranteePrincipal': ['arn:aws:iam::111122223333:role/LimitedAdminRole'] }),
    resourcePolicy: aliceIf({
      StringEquals: { 'kms:GranteePrincipal': 'arn:aws:iam::111122223333:role/LimitedAdminRole' },
    }),
    decision: 'Allow',
  },
  {
    title: 'kms:ScheduleKeyDeletionPendingWindowInDays refuses a short waiting period',
    source: guide('kms:ScheduleKeyDeletionPendingWindowInDays'),
    request: asks('kms:ScheduleKeyDeletion', { 'kms:ScheduleKeyDeletionPendingWindowInDays': ['7'] }),
    resourcePolicy: aliceUnless({ NumericLessThan: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '21' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'kms:ReplicaRegion allows the Regions listed',
    source: guide('kms:ReplicaRegion'),
    request: asks('kms:ReplicateKey', { 'kms:ReplicaRegion': ['ap-northeast-1'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:ReplicaRegion': ['us-east-1', 'eu-west-2'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'kms:RecipientAttestation compares the measurement in either letter case',
    source: 'KMS Developer Guide, Condition keys for attested platforms',
    request: decrypt({ 'kms:RecipientAttestation:ImageSha384': ['9FEDCBA8'] }),
    resourcePolicy: aliceIf({ StringEqualsIgnoreCase: { 'kms:RecipientAttestation:ImageSha384': '9fedcba8' } }),
    decision: 'Allow',
  },
]
