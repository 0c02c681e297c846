// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import type { Outcome } from '../naive-evaluator.ts'
import type { Context, Policy, Statement } from '../naive-text.ts'
import {
  alice,
  bob,
  type Case,
  dave,
  federatedUser,
  foreignRole,
  foreignRoot,
  foreignSession,
  otherAccount,
  otherSession,
  policy,
  role,
  root,
  session,
} from './case.ts'

const backup = 'arn:aws:iam::111122223333:role/service/backup'
const provider = 'arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com'
const otherProvider = 'arn:aws:iam::111122223333:oidc-provider/oidc.example.com'
const github = 'token.actions.githubusercontent.com'

type Condition = NonNullable<Statement['Condition']>

function trust(
  Principal: NonNullable<Statement['Principal']>,
  Condition?: Condition,
  Action: string | string[] = 'sts:AssumeRole',
): Policy {
  return policy({ Effect: 'Allow', Principal, Action, ...(Condition && { Condition }) })
}

const mayAssume = policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: backup })
const mayTag = policy({ Effect: 'Allow', Action: ['sts:AssumeRole', 'sts:TagSession'], Resource: backup })

const elsewhere = (arn: string) => arn.replace('arn:aws:', 'arn:aws-cn:')

interface Row {
  readonly of: string
  readonly principal: string
  readonly trust?: Policy
  readonly own?: readonly Policy[]
  readonly limits?: Pick<Case, 'permissionsBoundary' | 'sessionPolicy'>
  readonly context?: Context
  readonly action?: string
  readonly decision: Outcome
}

function table(source: string, rows: readonly Row[]): readonly Case[] {
  return rows.map(
    ({ of: title, principal, trust, own = [], limits = {}, context = {}, action = 'sts:AssumeRole', decision }) => ({
      title: `Role: ${title}`,
      source: `IAM User Guide, ${source}`,
      request: { principal, action, resource: backup, context },
      ...(trust && { resourcePolicy: trust }),
      identityPolicies: own,
      ...limits,
      decision,
    }),
  )
}

// biome-ignore-start format: tables
const principals = table('How to use trust policies with IAM roles; AWS JSON policy elements: Principal', [
  {
    of: 'a user that is named needs no policy of its own',
    principal: alice,
    trust: trust({ AWS: alice }),
    decision: 'Allow',
  },
  {
    of: 'another user is not named',
    principal: bob,
    trust: trust({ AWS: alice }),
    own: [mayAssume],
    decision: 'ImplicitDeny',
  },
  {
    of: 'the account lets policies of its users allow',
    principal: alice,
    trust: trust({ AWS: root }),
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'the account allows no user by itself',
    principal: alice,
    trust: trust({ AWS: root }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'the account by its number allows no user by itself',
    principal: alice,
    trust: trust({ AWS: '111122223333' }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'a policy of the user for another role is not enough',
    principal: alice,
    trust: trust({ AWS: root }),
    own: [policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: role })],
    decision: 'ImplicitDeny',
  },
  {
    of: 'a user denied by its own policy is denied though named',
    principal: alice,
    trust: trust({ AWS: alice }),
    own: [policy({ Effect: 'Deny', Action: 'sts:*', Resource: '*' })],
    decision: 'ExplicitDeny',
  },
  {
    of: 'a policy of the user does nothing without the trust policy',
    principal: alice,
    trust: trust({ Service: 'ec2.amazonaws.com' }),
    own: [mayAssume],
    decision: 'ImplicitDeny',
  },
  { of: 'without a trust policy nobody assumes it', principal: alice, own: [mayAssume], decision: 'ImplicitDeny' },
  {
    of: 'the trust policy denies whom it allows',
    principal: alice,
    trust: policy(
      { Effect: 'Allow', Principal: { AWS: root }, Action: 'sts:AssumeRole' },
      { Effect: 'Deny', Principal: { AWS: alice }, Action: 'sts:AssumeRole' },
    ),
    own: [mayAssume],
    decision: 'ExplicitDeny',
  },
  {
    of: 'a boundary that is silent limits what the account hands on',
    principal: alice,
    trust: trust({ AWS: root }),
    own: [mayAssume],
    limits: { permissionsBoundary: policy({ Effect: 'Allow', Action: 'kms:*', Resource: '*' }) },
    decision: 'ImplicitDeny',
  },
  {
    of: 'a boundary that is silent does not limit a user that is named',
    principal: alice,
    trust: trust({ AWS: alice }),
    limits: { permissionsBoundary: policy({ Effect: 'Allow', Action: 'kms:*', Resource: '*' }) },
    decision: 'Allow',
  },
  {
    of: 'everybody in the account that is named by the wildcard',
    principal: alice,
    trust: trust('*'),
    decision: 'Allow',
  },
  {
    of: 'a federated user that is named',
    principal: federatedUser,
    trust: trust({ AWS: federatedUser }),
    decision: 'Allow',
  },
  {
    of: 'another action of STS is not allowed by sts:AssumeRole',
    principal: alice,
    action: 'sts:TagSession',
    trust: trust({ AWS: alice }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'actions match without regard to case',
    principal: alice,
    trust: trust({ AWS: alice }, undefined, 'STS:assumerole'),
    decision: 'Allow',
  },
])

const otherAccounts = table('Cross-account policy evaluation logic', [
  {
    of: 'a user of another account whom both sides allow',
    principal: dave,
    trust: trust({ AWS: dave }),
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'a user of another account whom only the trust policy allows',
    principal: dave,
    trust: trust({ AWS: dave }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'a user of another account whom only its own policy allows',
    principal: dave,
    trust: trust({ AWS: root }),
    own: [mayAssume],
    decision: 'ImplicitDeny',
  },
  {
    of: 'the other account is named, and its policy allows',
    principal: dave,
    trust: trust({ AWS: foreignRoot }),
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'the other account is named, and its policy is silent',
    principal: dave,
    trust: trust({ AWS: foreignRoot }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'the wildcard names other accounts, whose policies decide',
    principal: dave,
    trust: trust('*'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'the wildcard names other accounts, whose policies allow',
    principal: dave,
    trust: trust('*'),
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'a session of another account, by its role, which may',
    principal: foreignSession,
    trust: trust({ AWS: foreignRole }),
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'a session of another account, by its role, which may not',
    principal: foreignSession,
    trust: trust({ AWS: foreignRole }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'a session of another account, by its own ARN, still needs its policies',
    principal: foreignSession,
    trust: trust({ AWS: foreignSession }),
    decision: 'ImplicitDeny',
  },
])

const externalId = (Condition: Condition) => trust({ AWS: foreignRoot }, Condition)
const exact = externalId({ StringEquals: { 'sts:ExternalId': 'Unique-ID/12' } })
const required = externalId({ Null: { 'sts:ExternalId': 'false' } })
const ifExists = externalId({ StringEqualsIfExists: { 'sts:ExternalId': 'Unique-ID/12' } })
const notOthers = externalId({ StringNotEquals: { 'sts:ExternalId': 'Old-ID' } })
const id = (value: string) => ({ 'sts:ExternalId': [value] })
const externalIds = table('The confused deputy problem; Access to AWS accounts owned by third parties', [
  {
    of: 'the external id that the trust policy wants',
    principal: dave,
    trust: exact,
    own: [mayAssume],
    context: id('Unique-ID/12'),
    decision: 'Allow',
  },
  {
    of: 'another external id',
    principal: dave,
    trust: exact,
    own: [mayAssume],
    context: id('Unique-ID/13'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'an external id in another case',
    principal: dave,
    trust: exact,
    own: [mayAssume],
    context: id('unique-id/12'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'no external id where one is wanted',
    principal: dave,
    trust: exact,
    own: [mayAssume],
    decision: 'ImplicitDeny',
  },
  {
    of: 'the external id without a policy of the caller',
    principal: dave,
    trust: exact,
    context: id('Unique-ID/12'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'an external id that is not asked for changes nothing',
    principal: dave,
    trust: trust({ AWS: foreignRoot }),
    own: [mayAssume],
    context: id('x'),
    decision: 'Allow',
  },
  {
    of: 'any external id where Null requires one',
    principal: dave,
    trust: required,
    own: [mayAssume],
    context: id('x'),
    decision: 'Allow',
  },
  { of: 'none where Null requires one', principal: dave, trust: required, own: [mayAssume], decision: 'ImplicitDeny' },
  {
    of: 'IfExists lets a caller in who sends no external id',
    principal: dave,
    trust: ifExists,
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'IfExists keeps a wrong external id out',
    principal: dave,
    trust: ifExists,
    own: [mayAssume],
    context: id('x'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'StringNotEquals lets a caller in who sends no external id',
    principal: dave,
    trust: notOthers,
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'StringNotEquals keeps the old external id out',
    principal: dave,
    trust: notOthers,
    own: [mayAssume],
    context: id('Old-ID'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'a wildcard in StringEquals is an ordinary character',
    principal: dave,
    trust: externalId({ StringEquals: { 'sts:ExternalId': 'Unique-*' } }),
    own: [mayAssume],
    context: id('Unique-ID/12'),
    decision: 'ImplicitDeny',
  },
])

const both = ['sts:AssumeRole', 'sts:TagSession']
const tagged = (Condition: Condition) => trust({ AWS: alice }, Condition, both)
const project = { 'aws:RequestTag/Project': ['Automation'], 'aws:TagKeys': ['Project'] }
const two = { ...project, 'aws:RequestTag/Team': ['Red'], 'aws:TagKeys': ['Project', 'Team'] }
const sessionTags = table('Pass session tags in AWS STS', [
  {
    of: 'sts:TagSession is a permission of its own: allowed',
    principal: alice,
    action: 'sts:TagSession',
    trust: tagged({}),
    context: project,
    decision: 'Allow',
  },
  {
    of: 'sts:TagSession is a permission of its own: not allowed by sts:AssumeRole',
    principal: alice,
    action: 'sts:TagSession',
    trust: trust({ AWS: alice }),
    context: project,
    decision: 'ImplicitDeny',
  },
  {
    of: 'sts:TagSession through the account needs the policy of the caller',
    principal: alice,
    action: 'sts:TagSession',
    trust: trust({ AWS: root }, undefined, both),
    own: [mayAssume],
    context: project,
    decision: 'ImplicitDeny',
  },
  {
    of: 'sts:TagSession through the account with the policy of the caller',
    principal: alice,
    action: 'sts:TagSession',
    trust: trust({ AWS: root }, undefined, both),
    own: [mayTag],
    context: project,
    decision: 'Allow',
  },
  {
    of: 'the tag that the trust policy wants',
    principal: alice,
    trust: tagged({ StringEquals: { 'aws:RequestTag/Project': 'Automation' } }),
    context: project,
    decision: 'Allow',
  },
  {
    of: 'another value of the tag',
    principal: alice,
    trust: tagged({ StringEquals: { 'aws:RequestTag/Project': 'Other' } }),
    context: project,
    decision: 'ImplicitDeny',
  },
  {
    of: 'no tags where one is wanted',
    principal: alice,
    trust: tagged({ StringEquals: { 'aws:RequestTag/Project': 'Automation' } }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'StringLike * wants the tag, whatever its value',
    principal: alice,
    trust: tagged({ StringLike: { 'aws:RequestTag/Project': '*' } }),
    context: project,
    decision: 'Allow',
  },
  {
    of: 'StringLike * keeps out who does not send the tag',
    principal: alice,
    trust: tagged({ StringLike: { 'aws:RequestTag/Project': '*' } }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'all tag keys are among those allowed',
    principal: alice,
    trust: tagged({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project', 'Department'] } }),
    context: project,
    decision: 'Allow',
  },
  {
    of: 'a tag key that is not among those allowed',
    principal: alice,
    trust: tagged({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project', 'Department'] } }),
    context: two,
    decision: 'ImplicitDeny',
  },
  {
    of: 'ForAllValues lets a request without tags in',
    principal: alice,
    trust: tagged({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project'] } }),
    decision: 'Allow',
  },
  {
    of: 'the tag must be the same as that of the caller: it is',
    principal: alice,
    trust: tagged({ StringEquals: { 'aws:RequestTag/Project': '${aws:PrincipalTag/Project}' } }),
    context: { ...project, 'aws:PrincipalTag/Project': ['Automation'] },
    decision: 'Allow',
  },
  {
    of: 'the tag must be the same as that of the caller: it is not',
    principal: alice,
    trust: tagged({ StringEquals: { 'aws:RequestTag/Project': '${aws:PrincipalTag/Project}' } }),
    context: { ...project, 'aws:PrincipalTag/Project': ['Other'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'the tag must be transitive: it is',
    principal: alice,
    trust: tagged({ 'ForAnyValue:StringEquals': { 'sts:TransitiveTagKeys': 'Project' } }),
    context: { ...project, 'sts:TransitiveTagKeys': ['Project'] },
    decision: 'Allow',
  },
  {
    of: 'the tag must be transitive: it is not',
    principal: alice,
    trust: tagged({ 'ForAnyValue:StringEquals': { 'sts:TransitiveTagKeys': 'Project' } }),
    context: project,
    decision: 'ImplicitDeny',
  },
  {
    of: 'only some keys may be transitive',
    principal: alice,
    trust: tagged({ 'ForAllValues:StringEquals': { 'sts:TransitiveTagKeys': ['Project'] } }),
    context: { ...two, 'sts:TransitiveTagKeys': ['Team'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'a Deny of transitive keys',
    principal: alice,
    trust: policy(
      { Effect: 'Allow', Principal: { AWS: alice }, Action: both },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: both,
        Condition: { 'ForAnyValue:StringLike': { 'sts:TransitiveTagKeys': '*' } },
      },
    ),
    context: { ...project, 'sts:TransitiveTagKeys': ['Project'] },
    decision: 'ExplicitDeny',
  },
])

const identity = (Condition: Condition) => trust({ AWS: alice }, Condition, ['sts:AssumeRole', 'sts:SetSourceIdentity'])
const diego = { 'sts:SourceIdentity': ['DiegoRamirez'] }
const sourceIdentities = table('Monitor and control actions taken with assumed roles', [
  {
    of: 'sts:SetSourceIdentity is a permission of its own: allowed',
    principal: alice,
    action: 'sts:SetSourceIdentity',
    trust: identity({}),
    context: diego,
    decision: 'Allow',
  },
  {
    of: 'sts:SetSourceIdentity is a permission of its own: not allowed by sts:AssumeRole',
    principal: alice,
    action: 'sts:SetSourceIdentity',
    trust: trust({ AWS: alice }),
    context: diego,
    decision: 'ImplicitDeny',
  },
  {
    of: 'the source identity that the trust policy wants',
    principal: alice,
    trust: identity({ StringLike: { 'sts:SourceIdentity': 'Diego*' } }),
    context: diego,
    decision: 'Allow',
  },
  {
    of: 'another source identity',
    principal: alice,
    trust: identity({ StringLike: { 'sts:SourceIdentity': 'Saanvi*' } }),
    context: diego,
    decision: 'ImplicitDeny',
  },
  {
    of: 'no source identity where one is wanted',
    principal: alice,
    trust: identity({ StringLike: { 'sts:SourceIdentity': '*' } }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'the source identity is the name of the user',
    principal: alice,
    trust: identity({ StringEquals: { 'sts:SourceIdentity': '${aws:username}' } }),
    context: { 'sts:SourceIdentity': ['alice'], 'aws:username': ['alice'] },
    decision: 'Allow',
  },
  {
    of: 'a session keeps the source identity with which it began',
    principal: session,
    trust: trust({ AWS: role }, { StringEquals: { 'aws:SourceIdentity': 'DiegoRamirez' } }),
    context: { 'aws:SourceIdentity': ['DiegoRamirez'] },
    decision: 'Allow',
  },
])

const named = (Condition: Condition) => trust({ AWS: alice }, Condition)
const sessionNames = table('IAM and AWS STS condition context keys, sts:RoleSessionName', [
  {
    of: 'the session is named as the user',
    principal: alice,
    trust: named({ StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }),
    context: { 'sts:RoleSessionName': ['alice'], 'aws:username': ['alice'] },
    decision: 'Allow',
  },
  {
    of: 'the session is named as somebody else',
    principal: alice,
    trust: named({ StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }),
    context: { 'sts:RoleSessionName': ['bob'], 'aws:username': ['alice'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'a session has no user name to compare with',
    principal: session,
    trust: trust({ AWS: role }, { StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }),
    context: { 'sts:RoleSessionName': ['alice'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'the session name by a pattern',
    principal: alice,
    trust: named({ StringLike: { 'sts:RoleSessionName': 'deploy-*' } }),
    context: { 'sts:RoleSessionName': ['deploy-7'] },
    decision: 'Allow',
  },
])

const present = (value: string) => ({ 'aws:MultiFactorAuthPresent': [value] })
const age = { NumericLessThan: { 'aws:MultiFactorAuthAge': '3600' } }
const denyUnless = (operator: string) =>
  policy(
    { Effect: 'Allow', Principal: { AWS: alice }, Action: 'sts:AssumeRole' },
    {
      Effect: 'Deny',
      Principal: '*',
      Action: 'sts:AssumeRole',
      Condition: { [operator]: { 'aws:MultiFactorAuthPresent': 'false' } },
    },
  )
const mfa = table('Secure API access with MFA; AWS global condition context keys, aws:MultiFactorAuthPresent', [
  {
    of: 'Bool true for a session without MFA',
    principal: alice,
    trust: named({ Bool: { 'aws:MultiFactorAuthPresent': 'true' } }),
    context: present('false'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'Bool true for an access key, which has no such key',
    principal: alice,
    trust: named({ Bool: { 'aws:MultiFactorAuthPresent': 'true' } }),
    decision: 'ImplicitDeny',
  },
  {
    of: 'Bool true for a session with MFA',
    principal: alice,
    trust: named({ Bool: { 'aws:MultiFactorAuthPresent': 'true' } }),
    context: present('true'),
    decision: 'Allow',
  },
  {
    of: 'BoolIfExists true lets an access key in',
    principal: alice,
    trust: named({ BoolIfExists: { 'aws:MultiFactorAuthPresent': 'true' } }),
    decision: 'Allow',
  },
  {
    of: 'BoolIfExists true keeps a session without MFA out',
    principal: alice,
    trust: named({ BoolIfExists: { 'aws:MultiFactorAuthPresent': 'true' } }),
    context: present('false'),
    decision: 'ImplicitDeny',
  },
  { of: 'Deny with Bool false misses an access key', principal: alice, trust: denyUnless('Bool'), decision: 'Allow' },
  {
    of: 'Deny with Bool false finds a session without MFA',
    principal: alice,
    trust: denyUnless('Bool'),
    context: present('false'),
    decision: 'ExplicitDeny',
  },
  {
    of: 'Deny with BoolIfExists false finds an access key',
    principal: alice,
    trust: denyUnless('BoolIfExists'),
    decision: 'ExplicitDeny',
  },
  {
    of: 'Deny with BoolIfExists false spares a session with MFA',
    principal: alice,
    trust: denyUnless('BoolIfExists'),
    context: present('true'),
    decision: 'Allow',
  },
  {
    of: 'Null true is for access keys',
    principal: alice,
    trust: named({ Null: { 'aws:MultiFactorAuthPresent': 'true' } }),
    decision: 'Allow',
  },
  {
    of: 'Null true is not for sessions, with or without MFA',
    principal: alice,
    trust: named({ Null: { 'aws:MultiFactorAuthPresent': 'true' } }),
    context: present('false'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'an age of MFA for a session without',
    principal: alice,
    trust: named(age),
    context: present('false'),
    decision: 'ImplicitDeny',
  },
  {
    of: 'an age of MFA that is young enough',
    principal: alice,
    trust: named(age),
    context: { 'aws:MultiFactorAuthAge': ['300'] },
    decision: 'Allow',
  },
  {
    of: 'an age of MFA that is too old',
    principal: alice,
    trust: named(age),
    context: { 'aws:MultiFactorAuthAge': ['3600'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'Null false on the age wants MFA',
    principal: alice,
    trust: named({ Null: { 'aws:MultiFactorAuthAge': 'false' } }),
    decision: 'ImplicitDeny',
  },
])

const silentSession = { sessionPolicy: policy({ Effect: 'Allow', Action: 'kms:*', Resource: '*' }) }
const inEachPartition: readonly Case[] = [
  ['a user', alice, { AWS: alice }, 'Allow'],
  ['a role, by its session', session, { AWS: role }, 'Allow'],
  ['a session', session, { AWS: session }, 'Allow'],
  ['another user', alice, { AWS: bob }, 'ImplicitDeny'],
  ['the account, without a policy of the caller', alice, { AWS: root }, 'ImplicitDeny'],
].map(([who, principal, Principal, decision]) => ({
  title: `Role: a request in another partition, where the trust policy names ${who as string}`,
  source: 'docs/policies.md, Differences from AWS',
  request: { principal: elsewhere(principal as string), action: 'sts:AssumeRole', resource: elsewhere(backup) },
  resourcePolicy: trust(Principal as { AWS: string }),
  decision: decision as Outcome,
}))

const chaining = table('Roles terms and concepts, Role chaining; Policy evaluation logic', [
  { of: 'a session of the role that is named', principal: session, trust: trust({ AWS: role }), decision: 'Allow' },
  {
    of: 'a session of the role that is named, within its session policy',
    principal: session,
    trust: trust({ AWS: role }),
    limits: { sessionPolicy: mayAssume },
    decision: 'Allow',
  },
  {
    of: 'a session of the role that is named, beyond its session policy',
    principal: session,
    trust: trust({ AWS: role }),
    limits: silentSession,
    decision: 'ImplicitDeny',
  },
  {
    of: 'the session that is named, beyond its session policy',
    principal: session,
    trust: trust({ AWS: session }),
    limits: silentSession,
    decision: 'Allow',
  },
  {
    of: 'another session than the one that is named',
    principal: otherSession,
    trust: trust({ AWS: session }),
    own: [mayAssume],
    decision: 'ImplicitDeny',
  },
  {
    of: 'a session through the account, whose policies allow',
    principal: session,
    trust: trust({ AWS: root }),
    own: [mayAssume],
    decision: 'Allow',
  },
  {
    of: 'a session through the account, beyond its session policy',
    principal: session,
    trust: trust({ AWS: root }),
    own: [mayAssume],
    limits: silentSession,
    decision: 'ImplicitDeny',
  },
  {
    of: 'a session whose tag fits',
    principal: session,
    trust: trust({ AWS: role }, { StringEquals: { 'aws:PrincipalTag/Team': 'Red' } }),
    context: { 'aws:PrincipalTag/Team': ['Red'] },
    decision: 'Allow',
  },
  {
    of: 'a session whose tag does not fit',
    principal: session,
    trust: trust({ AWS: role }, { StringEquals: { 'aws:PrincipalTag/Team': 'Red' } }),
    context: { 'aws:PrincipalTag/Team': ['Blue'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'aws:PrincipalArn of a session is its role',
    principal: session,
    trust: trust({ AWS: root }, { ArnEquals: { 'aws:PrincipalArn': role } }),
    own: [mayAssume],
    context: { 'aws:PrincipalArn': [role] },
    decision: 'Allow',
  },
])

const web = 'sts:AssumeRoleWithWebIdentity'
const federated = (Condition?: Condition) => trust({ Federated: provider }, Condition, web)
const claims = {
  [`${github}:aud`]: ['sts.amazonaws.com'],
  [`${github}:sub`]: ['repo:octo-org/octo-repo:ref:refs/heads/main'],
  'aws:FederatedProvider': [provider],
}
const pinned = {
  StringEquals: {
    [`${github}:aud`]: 'sts.amazonaws.com',
    [`${github}:sub`]: 'repo:octo-org/octo-repo:ref:refs/heads/main',
  },
}
const webIdentities = table('Create a role for OpenID Connect federation; IAM and AWS STS condition context keys', [
  {
    of: 'a web identity of the provider that is named',
    principal: provider,
    action: web,
    trust: federated(),
    context: claims,
    decision: 'Allow',
  },
  {
    of: 'a web identity of another provider',
    principal: otherProvider,
    action: web,
    trust: federated(),
    context: claims,
    decision: 'ImplicitDeny',
  },
  {
    of: 'a web identity does not call AssumeRole',
    principal: provider,
    trust: federated(),
    context: claims,
    decision: 'ImplicitDeny',
  },
  {
    of: 'a user is not named by Federated',
    principal: alice,
    action: web,
    trust: federated(),
    own: [policy({ Effect: 'Allow', Action: '*', Resource: '*' })],
    decision: 'ImplicitDeny',
  },
  {
    of: 'a web identity is not named by the account',
    principal: provider,
    action: web,
    trust: trust({ AWS: root }, undefined, web),
    context: claims,
    decision: 'ImplicitDeny',
  },
  {
    of: 'a web identity is not named by the ARN of its provider in AWS',
    principal: provider,
    action: web,
    trust: trust({ AWS: provider }, undefined, web),
    context: claims,
    decision: 'ImplicitDeny',
  },
  {
    of: 'a Deny to everybody denies web identities',
    principal: provider,
    action: web,
    trust: policy(
      { Effect: 'Allow', Principal: { Federated: provider }, Action: web },
      { Effect: 'Deny', Principal: '*', Action: 'sts:*' },
    ),
    context: claims,
    decision: 'ExplicitDeny',
  },
  {
    of: 'the audience and subject that are pinned',
    principal: provider,
    action: web,
    trust: federated(pinned),
    context: claims,
    decision: 'Allow',
  },
  {
    of: 'another branch',
    principal: provider,
    action: web,
    trust: federated(pinned),
    context: { ...claims, [`${github}:sub`]: ['repo:octo-org/octo-repo:ref:refs/heads/x'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'another audience',
    principal: provider,
    action: web,
    trust: federated(pinned),
    context: { ...claims, [`${github}:aud`]: ['other'] },
    decision: 'ImplicitDeny',
  },
  {
    of: 'a token without the claim',
    principal: provider,
    action: web,
    trust: federated({ StringEquals: { [`${github}:environment`]: 'production' } }),
    context: claims,
    decision: 'ImplicitDeny',
  },
  {
    of: 'a subject by a pattern',
    principal: provider,
    action: web,
    trust: federated({ StringLike: { [`${github}:sub`]: 'repo:octo-org/*' } }),
    context: claims,
    decision: 'Allow',
  },
  {
    of: 'a claim of several values, one of which fits',
    principal: provider,
    action: web,
    trust: federated({ 'ForAnyValue:StringEquals': { [`${github}:groups`]: 'admins' } }),
    context: { ...claims, [`${github}:groups`]: ['users', 'admins'] },
    decision: 'Allow',
  },
  {
    of: 'the claim of another issuer',
    principal: provider,
    action: web,
    trust: federated({ StringEquals: { 'oidc.example.com:sub': 'x' } }),
    context: claims,
    decision: 'ImplicitDeny',
  },
  {
    of: 'aws:FederatedProvider of a session that began with a web identity',
    principal: session,
    trust: trust({ AWS: role }, { StringEquals: { 'aws:FederatedProvider': provider } }),
    context: { 'aws:FederatedProvider': [provider] },
    decision: 'Allow',
  },
  {
    of: 'a session that began with a web identity is named by its provider',
    principal: session,
    trust: trust({ Federated: provider }),
    context: { 'aws:FederatedProvider': [provider] },
    decision: 'Allow',
  },
  {
    of: 'a session that is named by its provider has the limits of its session policy',
    principal: session,
    trust: trust({ Federated: provider }),
    context: { 'aws:FederatedProvider': [provider] },
    limits: silentSession,
    decision: 'ImplicitDeny',
  },
  {
    of: 'a service that is named',
    principal: 'ecs-tasks.amazonaws.com',
    trust: trust({ Service: 'ecs-tasks.amazonaws.com' }),
    decision: 'Allow',
  },
  {
    of: 'a service for a source of another account',
    principal: 'ecs-tasks.amazonaws.com',
    trust: trust({ Service: 'ecs-tasks.amazonaws.com' }, { StringEquals: { 'aws:SourceAccount': '111122223333' } }),
    context: { 'aws:SourceAccount': [otherAccount] },
    decision: 'ImplicitDeny',
  },
])
// biome-ignore-end format: tables

/** Who may assume a role. */
export const trustPolicies: Readonly<Record<string, readonly Case[]>> = {
  'trust policies: principals': principals,
  'trust policies: other accounts': otherAccounts,
  'trust policies: external ids': externalIds,
  'trust policies: session tags': sessionTags,
  'trust policies: source identities': sourceIdentities,
  'trust policies: session names': sessionNames,
  'trust policies: MFA': mfa,
  'trust policies: partitions': inEachPartition,
  'trust policies: role chaining': chaining,
  'trust policies: web identities and services': webIdentities,
}
