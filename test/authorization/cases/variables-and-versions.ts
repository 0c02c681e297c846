// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import type { Policy } from '../naive-text.ts'
import { alice, aliceIf, aliceUnless, type Case, decrypt, defaultKeyPolicy, key, policy } from './case.ts'

const variables = 'IAM User Guide, IAM policy elements: Variables and tags'
const resourceElement = `${variables}, Resource element`
const conditionElement = `${variables}, Condition element`
const special = `${variables}, Special characters`
const defaults = `${variables}, Specifying default values`
const version = 'IAM User Guide, IAM JSON policy elements: Version'

const aliasOf = (name: string) => `arn:aws:kms:us-east-1:111122223333:alias/${name}`

function deleteAlias(name: string, username?: string) {
  const context: Record<string, string[]> = username === undefined ? {} : { 'aws:username': [username] }
  return { principal: alice, action: 'kms:DeleteAlias', resource: aliasOf(name), context }
}

function onAlias(name: string, Version: Policy['Version'] = '2012-10-17') {
  return [{ Version, Statement: { Effect: 'Allow', Action: 'kms:DeleteAlias', Resource: aliasOf(name) } as const }]
}

/** The same policy, in the version of the language that knows no variables. */
function in2008({ Statement }: Policy): Policy {
  return { Version: '2008-10-17', Statement }
}

/** Policy variables, and the versions of the policy language. */
export const variablesAndVersions: readonly Case[] = [
  {
    title: 'A variable in Resource is replaced',
    source: resourceElement,
    request: deleteAlias('alice', 'alice'),
    identityPolicies: onAlias('${aws:username}'),
    decision: 'Allow',
  },
  {
    title: 'A variable in Resource is replaced by the value of this request',
    source: resourceElement,
    request: deleteAlias('bob', 'alice'),
    identityPolicies: onAlias('${aws:username}'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in Resource goes with a wildcard',
    source: resourceElement,
    request: deleteAlias('alice/orders', 'alice'),
    identityPolicies: onAlias('${aws:username}/*'),
    decision: 'Allow',
  },
  {
    title: 'Names of variables are not case-sensitive',
    source: `${variables}, Request information that you can use for policy variables`,
    request: deleteAlias('alice', 'alice'),
    identityPolicies: onAlias('${AWS:UserName}'),
    decision: 'Allow',
  },
  {
    title: 'A tag in Resource is replaced',
    source: resourceElement,
    request: {
      principal: alice,
      action: 'kms:DeleteAlias',
      resource: aliasOf('red'),
      context: { 'aws:PrincipalTag/team': ['red'] },
    },
    identityPolicies: onAlias('${aws:PrincipalTag/team}'),
    decision: 'Allow',
  },
  {
    title: 'A variable without a value makes the statement match nothing',
    source: `${variables}, Note`,
    request: deleteAlias('', undefined),
    identityPolicies: onAlias('${aws:username}'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'An asterisk in the value of a variable is no wildcard',
    source: special,
    request: deleteAlias('bob', '*'),
    identityPolicies: onAlias('${aws:username}'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in the value of a variable is text',
    source: special,
    request: {
      principal: alice,
      action: 'kms:DeleteAlias',
      resource: aliasOf('alice'),
      context: { 'aws:username': ['alice'], 'aws:PrincipalTag/team': ['${aws:username}'] },
    },
    identityPolicies: onAlias('${aws:PrincipalTag/team}'),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in NotResource is replaced',
    source: resourceElement,
    request: deleteAlias('alice', 'alice'),
    identityPolicies: [policy({ Effect: 'Allow', Action: 'kms:*', NotResource: aliasOf('${aws:username}') })],
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in StringEquals is replaced',
    source: conditionElement,
    request: decrypt({ 'aws:username': ['alice'], 'kms:EncryptionContext:owner': ['alice'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:owner': '${aws:username}' } }),
    decision: 'Allow',
  },
  {
    title: 'A variable in StringEquals is replaced by the value of this request',
    source: conditionElement,
    request: decrypt({ 'aws:username': ['alice'], 'kms:EncryptionContext:owner': ['bob'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:owner': '${aws:username}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in StringLike goes with a wildcard',
    source: conditionElement,
    request: decrypt({ 'aws:username': ['alice'], 'kms:RequestAlias': ['alias/alice/orders'] }),
    resourcePolicy: aliceIf({ StringLike: { 'kms:RequestAlias': 'alias/${aws:username}/*' } }),
    decision: 'Allow',
  },
  {
    title: 'An asterisk in the value of a variable is no wildcard of StringLike',
    source: special,
    request: decrypt({ 'aws:PrincipalTag/prefix': ['*'], 'kms:RequestAlias': ['alias/orders'] }),
    resourcePolicy: aliceIf({ StringLike: { 'kms:RequestAlias': 'alias/${aws:PrincipalTag/prefix}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in StringNotLike is replaced',
    source: conditionElement,
    request: decrypt({ 'aws:username': ['alice'], 'kms:RequestAlias': ['alias/alice'] }),
    resourcePolicy: aliceIf({ StringNotLike: { 'kms:RequestAlias': 'alias/${aws:username}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable in ArnLike is replaced',
    source: conditionElement,
    request: decrypt({ 'aws:username': ['alice'], 'aws:PrincipalArn': [alice] }),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/${aws:username}' } }),
    decision: 'Allow',
  },
  {
    title: 'A variable does not stand for a number',
    source: conditionElement,
    request: decrypt({ 'aws:PrincipalTag/days': ['90'], 'kms:RotationPeriodInDays': ['90'] }),
    resourcePolicy: aliceIf({ NumericEquals: { 'kms:RotationPeriodInDays': '${aws:PrincipalTag/days}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A variable does not stand for an address',
    source: conditionElement,
    request: decrypt({ 'aws:PrincipalTag/site': ['203.0.113.7'], 'aws:SourceIp': ['203.0.113.7'] }),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '${aws:PrincipalTag/site}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A key of several values is no variable',
    source: 'IAM User Guide, Single-valued vs. multivalued context keys',
    request: decrypt({ 'aws:TagKeys': ['team', 'stage'], 'aws:PrincipalTag/key': ['team'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'aws:PrincipalTag/key': '${aws:TagKeys}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A Deny with a variable without a value denies nothing',
    source: `${variables}, Note`,
    request: decrypt({ 'kms:EncryptionContext:owner': ['alice'] }),
    resourcePolicy: aliceUnless({ StringNotEquals: { 'kms:EncryptionContext:owner': '${aws:PrincipalTag/owner}' } }),
    decision: 'Allow',
  },
  {
    title: 'A default stands for a variable without a value',
    source: defaults,
    request: decrypt({ 'kms:EncryptionContext:team': ['company-wide'] }),
    resourcePolicy: aliceIf({
      StringEquals: { 'kms:EncryptionContext:team': "${aws:PrincipalTag/team, 'company-wide'}" },
    }),
    decision: 'Allow',
  },
  {
    title: 'A default does not stand for a variable with a value',
    source: defaults,
    request: decrypt({ 'kms:EncryptionContext:team': ['company-wide'], 'aws:PrincipalTag/team': ['red'] }),
    resourcePolicy: aliceIf({
      StringEquals: { 'kms:EncryptionContext:team': "${aws:PrincipalTag/team, 'company-wide'}" },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A default stands in Resource',
    source: defaults,
    request: deleteAlias('anonymous', undefined),
    identityPolicies: onAlias("${aws:username, 'anonymous'}"),
    decision: 'Allow',
  },
  {
    title: 'An asterisk in braces is an asterisk: it matches itself',
    source: special,
    request: decrypt({ 'kms:EncryptionContext:glob': ['*'] }),
    resourcePolicy: aliceIf({ StringLike: { 'kms:EncryptionContext:glob': '${*}' } }),
    decision: 'Allow',
  },
  {
    title: 'An asterisk in braces is an asterisk: it matches nothing else',
    source: special,
    request: decrypt({ 'kms:EncryptionContext:glob': ['any'] }),
    resourcePolicy: aliceIf({ StringLike: { 'kms:EncryptionContext:glob': '${*}' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A question mark in braces is a question mark',
    source: special,
    request: decrypt({ 'kms:EncryptionContext:glob': ['why?'] }),
    resourcePolicy: aliceIf({ StringLike: { 'kms:EncryptionContext:glob': 'w*${?}' } }),
    decision: 'Allow',
  },
  {
    title: 'A dollar sign in braces is a dollar sign, and begins no variable',
    source: special,
    request: decrypt({ 'kms:EncryptionContext:glob': ['${aws:username}'], 'aws:username': ['alice'] }),
    resourcePolicy: aliceIf({ StringEquals: { 'kms:EncryptionContext:glob': '${$}{aws:username}' } }),
    decision: 'Allow',
  },
  {
    title: 'Version 2008-10-17 takes a variable for text: it does not match its value',
    source: version,
    request: decrypt({ 'aws:username': ['alice'], 'kms:EncryptionContext:owner': ['alice'] }),
    resourcePolicy: in2008(aliceIf({ StringEquals: { 'kms:EncryptionContext:owner': '${aws:username}' } })),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Version 2008-10-17 takes a variable for text: it matches itself',
    source: version,
    request: decrypt({ 'aws:username': ['alice'], 'kms:EncryptionContext:owner': ['${aws:username}'] }),
    resourcePolicy: in2008(aliceIf({ StringEquals: { 'kms:EncryptionContext:owner': '${aws:username}' } })),
    decision: 'Allow',
  },
  {
    title: 'A policy without a version is one of 2008-10-17',
    source: version,
    request: deleteAlias('alice', 'alice'),
    identityPolicies: [
      { Statement: { Effect: 'Allow', Action: 'kms:DeleteAlias', Resource: aliasOf('${aws:username}') } },
    ],
    decision: 'ImplicitDeny',
  },
  {
    title: 'Version 2008-10-17 has wildcards',
    source: version,
    request: deleteAlias('alice', 'alice'),
    identityPolicies: onAlias('al*', '2008-10-17'),
    decision: 'Allow',
  },
  {
    title: 'A Deny of version 2008-10-17 is as strong as any',
    source: version,
    request: decrypt(),
    resourcePolicy: defaultKeyPolicy,
    identityPolicies: [
      policy({ Effect: 'Allow', Action: 'kms:*', Resource: key }),
      { Version: '2008-10-17', Statement: { Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' } },
    ],
    decision: 'ExplicitDeny',
  },
  {
    title: 'A policy may have an Id, a Sid with spaces, and one statement that is no list',
    source: 'IAM User Guide, Grammar of the IAM JSON policy language; KMS Developer Guide, Key policies, Sid',
    request: decrypt(),
    resourcePolicy: {
      Version: '2008-10-17',
      Id: 'key-policy-1',
      Statement: {
        Sid: 'Allow use of the key',
        Effect: 'Allow',
        Principal: { AWS: alice },
        Action: '*',
        Resource: '*',
      },
    },
    decision: 'Allow',
  },
]
