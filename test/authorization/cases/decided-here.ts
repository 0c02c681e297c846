// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import {
  alias,
  alice,
  aliceIf,
  aliceUnless,
  allowKms,
  type Case,
  decrypt,
  defaultKeyPolicy,
  federatedUser,
  key,
  policy,
  root,
} from './case.ts'

const source = 'docs/policies.md, Where AWS is silent'

/** What AWS leaves open, or says in two ways, and is decided here. */
export const decidedHere: readonly Case[] = [
  {
    title: 'Several values without a set operator: one that matches is enough',
    source,
    request: decrypt({ 'kms:EncryptionContextKeys': ['AppName', 'Stage'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContextKeys': 'AppName' } }),
    decision: 'Allow',
  },
  {
    title: 'Several values without a set operator: one that matches is too many for a negated operator',
    source,
    request: decrypt({ 'kms:EncryptionContextKeys': ['AppName', 'Stage'] }),
    resourcePolicy: aliceIf({ StringNotEquals: { 'kms:EncryptionContextKeys': 'AppName' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A policy value of another type matches nothing',
    source,
    request: decrypt({ 'kms:RotationPeriodInDays': ['90'] }),
    resourcePolicy: aliceIf({ NumericLessThan: { 'kms:RotationPeriodInDays': 'a year' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A policy value of another type matches nothing, so the negated operator holds',
    source,
    request: decrypt({ 'kms:RotationPeriodInDays': ['90'] }),
    resourcePolicy: aliceUnless({ NumericNotEquals: { 'kms:RotationPeriodInDays': 'a year' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'An empty text is a value: the key is not absent',
    source,
    request: decrypt({ 'kms:EncryptionContext:AppName': [''] }),
    resourcePolicy: aliceIf({ Null: { 'kms:EncryptionContext:AppName': 'false' } }),
    decision: 'Allow',
  },
  {
    title: 'An empty text is a value: ForAllValues compares it',
    source,
    request: decrypt({ 'kms:EncryptionContextKeys': [''] }),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable without a value in a list: no other value of the list matches',
    source,
    request: decrypt({ 'kms:EncryptionContext:owner': ['alice'] }),
    resourcePolicy: aliceIf({
      StringEquals: { 'kms:EncryptionContext:owner': ['alice', '${aws:PrincipalTag/owner}'] },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable without a value in a list of resources: no other resource of the list matches',
    source,
    request: { principal: alice, action: 'kms:DeleteAlias', resource: alias },
    identityPolicies: [
      policy({
        Effect: 'Allow',
        Action: 'kms:*',
        Resource: [alias, 'arn:aws:kms:us-east-1:111122223333:alias/${aws:username}'],
      }),
    ],
    decision: 'ImplicitDeny',
  },
  {
    title: 'A default does not stand for a variable of several values',
    source,
    request: decrypt({ 'aws:TagKeys': ['team', 'stage'], 'kms:EncryptionContext:team': ['all'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:team': "${aws:TagKeys, 'all'}" } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in the part of a resource before the fifth colon is replaced',
    source,
    request: { ...decrypt(), context: { 'aws:PrincipalAccount': ['111122223333'] } },
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy({ Effect: 'Allow', Action: 'kms:*', Resource: 'arn:aws:kms:*:${aws:PrincipalAccount}:key/*' }),
    ],
    decision: 'Allow',
  },
  {
    title: 'A variable does not stand for a boolean',
    source,
    request: decrypt({ 'aws:PrincipalTag/secure': ['true'], 'aws:SecureTransport': ['true'] }),
    resourcePolicy: aliceIf({ Bool: { 'aws:SecureTransport': '${aws:PrincipalTag/secure}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Braces without a name in them are text',
    source,
    request: decrypt({ 'kms:EncryptionContext:template': ['${}'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:template': '${}' } }),
    decision: 'Allow',
  },
  {
    title: 'An ARN pattern with fewer than six parts matches nothing',
    source,
    request: decrypt({ 'aws:PrincipalArn': [alice] }),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:PrincipalArn': '*' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A colon in the value of a variable begins no part of an ARN',
    source,
    request: decrypt({
      'aws:SourceArn': ['arn:aws:sns:us-east-1:111122223333:app:dev'],
      'aws:PrincipalTag/place': ['111122223333:app'],
    }),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:SourceArn': 'arn:aws:sns:us-east-1:${aws:PrincipalTag/place}:dev' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A colon in the value of a variable may stand in the last part of an ARN',
    source,
    request: decrypt({
      'aws:SourceArn': ['arn:aws:sns:us-east-1:111122223333:app:dev'],
      'aws:PrincipalTag/topic': ['app:dev'],
    }),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:SourceArn': 'arn:aws:sns:*:*:${aws:PrincipalTag/topic}' } }),
    decision: 'Allow',
  },
  {
    title: 'A time that no clock shows is none',
    source,
    request: decrypt({
      'aws:CurrentTime': ['2026-06-30T25:00:00Z', '2026-06-30T23:60:00Z', '2026-06-30T23:59:61Z'],
    }),
    resourcePolicy: aliceIf({ DateLessThan: { 'aws:CurrentTime': '2026-07-01T12:00:00Z' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'An unknown operator keeps an Allow from matching',
    source,
    request: decrypt({ 'aws:username': ['alice'] }),
    resourcePolicy: aliceIf({ StringMatches: { 'aws:username': 'alice' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'An unknown operator does not keep a Deny from matching',
    source,
    request: decrypt({ 'aws:username': ['alice'] }),
    resourcePolicy: aliceUnless({ 'ForSomeValues:StringEquals': { 'aws:username': 'bob' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Allow names whom it does not list as the wildcard does: no boundary limits it',
    source,
    request: decrypt(),
    resourcePolicy: policy({
      Effect: 'Allow',
      NotPrincipal: { AWS: 'arn:aws:iam::111122223333:user/bob' },
      Action: 'kms:*',
      Resource: '*',
    }),
    permissionsBoundary: policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' }),
    decision: 'Allow',
  },
  {
    title: 'A federated user is not named by the ARN of the user whose access key it had',
    source,
    request: { principal: federatedUser, action: 'kms:Decrypt', resource: key },
    resourcePolicy: policy({
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::111122223333:user/carol' },
      Action: 'kms:*',
      Resource: '*',
    }),
    identityPolicies: [allowKms],
    decision: 'ImplicitDeny',
  },
  {
    title: 'A policy given for the session of a root user limits it where no resource has a policy',
    source,
    request: { principal: root, action: 'kms:CreateKey', resource: '*' },
    sessionPolicy: policy({ Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
]
