// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { kms } from '../../src/apis/kms/kms.ts'
import { sts } from '../../src/apis/sts/sts.ts'
import type { PolicyKind } from '../../src/authorization/grammar.ts'
import { lint, ruleNames } from '../../src/authorization/lint/lint.ts'
import { decided } from './engine.ts'
import { foreign, guidePolicies, home } from './guide-policies.ts'
import { listOf, type Policy } from './naive-text.ts'
import { questionsFrom, size } from './random-questions.ts'

const vocabularies = { kms: kms.policySubject!.vocabulary, sts: sts.policySubject!.vocabulary }
const now = Date.parse('2026-06-01T00:00:00Z')
const root = `arn:aws:iam::${home}:root`
const alice = `arn:aws:iam::${home}:user/alice`
const administration = { Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' }
const decrypt = { Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:Decrypt', Resource: '*' }

type Change = Readonly<Record<string, unknown>>

/** A policy with the usual administration, and one more statement. */
function withStatement(change: Change, version = '2012-10-17'): object {
  return { Version: version, Statement: [administration, { ...decrypt, ...change }] }
}

function when(...conditions: object[]): object {
  return withStatement({ Condition: Object.assign({}, ...conditions) })
}

function warningsOf(policy: unknown, { kind = 'resource', account }: { kind?: PolicyKind; account?: string } = {}) {
  const vocabulary = vocabularies[kind === 'trust' ? 'sts' : 'kms']
  return lint(JSON.stringify(policy), { kind, vocabulary, now, account })
}

const identity = (change: Change): object => ({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*', ...change },
})

/** A trust policy. */
function trust(Principal: unknown, Condition?: object, Action: unknown = 'sts:AssumeRole'): object {
  return { Version: '2012-10-17', Statement: { Effect: 'Allow', Principal, Action, ...(Condition && { Condition }) } }
}

const github = 'token.actions.githubusercontent.com'
const federated = (condition?: object, issuer = github) =>
  trust(
    { Federated: `arn:aws:iam::${home}:oidc-provider/${issuer}` },
    { StringEquals: { [`${issuer}:aud`]: 'sts.amazonaws.com' }, ...condition },
    'sts:AssumeRoleWithWebIdentity',
  )
const bySubject = (value: string) => federated({ StringLike: { [`${github}:sub`]: value } })
const repository = bySubject('repo:octo-org/octo-repo:*')

/** A rule, a policy that it warns of, and a similar one that it does not. */
type Case = readonly [rule: string, warned: object, sound: object, kind?: 'identity' | 'trust']

// biome-ignore format: a table
const cases: readonly Case[] = [
  ['foreign-account-full-access', withStatement({ Principal: { AWS: foreign }, Action: '*' }), withStatement({ Principal: { AWS: foreign } })],
  ['foreign-account-full-access', withStatement({ Principal: { AWS: [root, `arn:aws:iam::${foreign}:root`] }, Action: 'kms:*' }), withStatement({ Effect: 'Deny', Principal: { AWS: foreign }, Action: 'kms:*' })],
  ['public-principal', withStatement({ Principal: '*' }), withStatement({ Principal: '*', Condition: { StringEquals: { 'kms:CallerAccount': home } } })],
  ['public-principal', withStatement({ Principal: { AWS: [alice, '*'] }, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }), withStatement({ Principal: '*', Condition: { ArnLike: { 'AWS:PrincipalArn': alice } } })],
  ['not-principal-allow', withStatement({ Principal: undefined, NotPrincipal: { AWS: alice } }), withStatement({ Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: [root, alice] } })],
  ['not-action-allow', withStatement({ Action: undefined, NotAction: 'kms:Decrypt' }), withStatement({ Effect: 'Deny', Action: undefined, NotAction: 'kms:PutKeyPolicy' })],
  ['service-principal', withStatement({ Principal: { Service: 'logs.eu-west-1.amazonaws.com' } }), withStatement({ Principal: { Service: 'xks.strongroom' } })],
  ['service-principal', withStatement({ Principal: { AWS: [alice, `arn:aws:iam::${home}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling`] } }), withStatement({ Principal: { AWS: `arn:aws:iam::${home}:role/autoscaling` } })],
  ['deleted-principal', withStatement({ Principal: { AWS: 'AROAQQQQQQQQQQQQQQQQQ' } }), withStatement({})],
  ['unknown-action', withStatement({ Action: 'kms:Encrpyt' }), withStatement({ Action: 'KMS:eNCRYPT' })],
  ['unknown-action', withStatement({ Action: ['kms:Decrypt', 'kms:Encode*'] }), withStatement({ Action: 'kms:ReEncrypt?o' })],
  ['foreign-action', withStatement({ Action: 's3:GetObject' }), withStatement({ Action: '*' })],
  ['action-not-on-key', withStatement({ Action: 'kms:CreateKey' }), withStatement({ Action: 'kms:Create*' })],
  ['resource-in-key-policy', withStatement({ Resource: `arn:aws:kms:eu-west-1:${home}:key/*` }), withStatement({ Resource: ['*'] })],
  ['resource-in-key-policy', withStatement({ Resource: undefined, NotResource: 'x' }), withStatement({})],
  ['alias-as-resource', identity({ Resource: `arn:aws:kms:*:${home}:alias/documents` }), identity({ Action: 'kms:*Alias', Resource: `arn:aws:kms:*:${home}:alias/documents` }), 'identity'],
  ['unknown-condition-key', when({ StringEquals: { 'kms:EncryptionContext': 'x' } }), when({ StringEquals: { 'kms:EncryptionContext:x': 'x' } })],
  ['unknown-condition-key', when({ StringEquals: { 'aws:PrincipalOrg': 'x' } }), when({ StringEquals: { 'AWS:principalarn': alice } })],
  ['unknown-condition-key', when({ StringEquals: { 's3:prefix': 'x' } }), when({ StringEquals: { 'aws:PrincipalTag/s3:prefix': 'x' } })],
  ['unknown-condition-key', identity({ Condition: { StringEquals: { 's3:prefix': 'x' } } }), identity({ Action: ['s3:List*', 'kms:Decrypt'], Condition: { StringEquals: { 's3:prefix': 'x' } } }), 'identity'],
  ['absent-condition-key', when({ StringEquals: { 'aws:SourceVpc': 'vpc-1' } }), when({ StringEquals: { 'aws:PrincipalAccount': home } })],
  ['absent-condition-key', when({ StringEquals: { 'aws:SourceVpce': 'vpce-1' } }), when({ IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } })],
  ['absent-condition-key', when({ StringEquals: { 'aws:SourceAccount': home } }), withStatement({ Principal: { Service: 'sns.amazonaws.com' }, Condition: { StringEquals: { 'aws:SourceAccount': home } } })],
  ['absent-condition-key', identity({ Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-1' } } }), identity({ Action: ['s3:*', 'kms:Decrypt'], Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-1' } } }), 'identity'],
  ['condition-key-of-other-actions', when({ StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512' } }), withStatement({ Action: 'kms:*', Condition: { StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512' } } })],
  ['condition-key-of-other-actions', withStatement({ Action: 'kms:GetPublicKey', Condition: { StringEquals: { 'kms:EncryptionContext:a': 'b' } } }), when({ StringEquals: { 'kms:EncryptionContext:a': 'b' } })],
  ['condition-type', when({ NumericEquals: { 'kms:KeySpec': '2048' } }), when({ NumericEquals: { 'kms:EncryptionContext:version': '2' } })],
  ['condition-type', when({ Bool: { 'kms:KeyOrigin': 'true' } }), when({ Bool: { 'kms:MultiRegion': 'true' } })],
  ['condition-type', when({ IpAddress: { 'aws:UserAgent': '192.0.2.1' } }), when({ DateLessThan: { 'aws:EpochTime': '1800000000' } })],
  ['condition-value', when({ Bool: { 'aws:SecureTransport': 'yes' } }), when({ Bool: { 'aws:SecureTransport': true } })],
  ['condition-value', when({ IpAddress: { 'aws:SourceIp': '192.0.2.0/33' } }), when({ IpAddress: { 'aws:SourceIp': '2001:db8::/32' } })],
  ['condition-value', when({ NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '10.0.0'] } }), when({ NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '10.0.0.1'] } })],
  ['condition-value', when({ DateLessThan: { 'aws:CurrentTime': 'tomorrow' } }), when({ DateLessThan: { 'aws:CurrentTime': '2026-12-31T00:00:00Z' } })],
  ['condition-value', when({ ArnLike: { 'aws:PrincipalArn': 'role/admin' } }), when({ ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/admin' } })],
  ['condition-value', when({ StringEquals: { 'aws:SourceIp': '192.0.2.0/24' } }), when({ StringEquals: { 'aws:SourceIp': '192.0.2.1' } })],
  ['condition-value', when({ StringEquals: { 'kms:KeySpec': [] } }), when({ StringEquals: { 'kms:KeySpec': ['RSA_2048'] } })],
  ['unknown-value', when({ StringEquals: { 'kms:KeySpec': ['RSA_2048', 'SYMETRIC_DEFAULT'] } }), when({ StringEquals: { 'kms:KeySpec': ['RSA_2048', 'SYMMETRIC_DEFAULT'] } })],
  ['unknown-value', when({ StringNotLike: { 'kms:EncryptionAlgorithm': 'RSA-*' } }), when({ StringNotLike: { 'kms:EncryptionAlgorithm': 'RSA*' } })],
  ['unknown-value', withStatement({ Action: 'kms:CreateGrant', Condition: { 'ForAllValues:StringEquals': { 'kms:GrantOperations': 'kms:Decrypt' } } }), withStatement({ Action: 'kms:CreateGrant', Condition: { 'ForAllValues:StringEqualsIgnoreCase': { 'kms:GrantOperations': 'decrypt' } } })],
  ['past-date', when({ DateLessThan: { 'aws:CurrentTime': '2026-05-31T00:00:00Z' } }), when({ DateLessThan: { 'aws:CurrentTime': '2026-06-02T00:00:00Z' } })],
  ['past-date', when({ DateEquals: { 'aws:EpochTime': '1700000000' } }), when({ DateEquals: { 'aws:EpochTime': '1800000000' } })],
  ['past-date', when({ NumericLessThanEquals: { 'aws:EpochTime': 1_700_000_000 } }), when({ DateGreaterThan: { 'aws:CurrentTime': '2020-01-01' } })],
  ['wildcard-in-equals', when({ StringEquals: { 'aws:PrincipalArn': `arn:aws:iam::${home}:role/*` } }), when({ StringLike: { 'aws:PrincipalArn': `arn:aws:iam::${home}:role/*` } })],
  ['wildcard-in-equals', when({ StringEquals: { 'aws:PrincipalArn': '*' } }), when({ ArnLike: { 'aws:PrincipalArn': 'arn:*:iam::*:*' } })],
  ['wildcard-in-equals', when({ StringNotEqualsIgnoreCase: { 'kms:EncryptionContext:a': 'x?y' } }), when({ StringEquals: { 'kms:EncryptionContext:a': 'x${?}y' } })],
  ['session-in-principal-arn', when({ ArnLike: { 'aws:PrincipalArn': `arn:aws:sts::${home}:assumed-role/admin/*` } }), when({ ArnLike: { 'aws:PrincipalArn': `arn:aws:iam::${home}:role/admin` } })],
  ['for-all-values-without-null', when({ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': 'a' } }), when({ 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': 'a' } }, { Null: { 'kms:encryptioncontextkeys': false } })],
  ['for-all-values-without-null', when({ 'ForAllValues:StringLike': { 'kms:EncryptionContextKeys': 'a*' } }, { Null: { 'kms:EncryptionContextKeys': true } }), when({ 'ForAllValues:StringLike': { 'kms:EncryptionContextKeys': 'a*' } }, { 'ForAnyValue:StringLike': { 'kms:EncryptionContextKeys': 'a*' } })],
  ['for-all-values-without-null', withStatement({ Action: ['kms:CreateKey', 'kms:TagResource'], Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': 'a' } } }), withStatement({ Action: ['kms:UntagResource', 'kms:TagResource'], Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': 'a' } } })],
  ['set-operator-on-single-value', when({ 'ForAnyValue:StringEquals': { 'aws:PrincipalTag/team': 'x' } }), when({ 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'x' } })],
  ['multivalued-without-set-operator', when({ StringEquals: { 'kms:EncryptionContextKeys': 'x' } }), when({ Null: { 'kms:EncryptionContextKeys': 'false' } })],
  ['variable-in-2008-10-17', withStatement({ Condition: { StringEquals: { 'kms:EncryptionContext:user': '${aws:username}' } } }, '2008-10-17'), when({ StringEquals: { 'kms:EncryptionContext:user': '${aws:username}' } })],
  ['variable-without-effect', when({ NumericEquals: { 'kms:EncryptionContext:n': '${aws:EpochTime}' } }), when({ StringEquals: { 'kms:EncryptionContext:n': '${aws:EpochTime}' } })],
  ['unknown-variable', when({ StringEquals: { 'kms:EncryptionContext:user': '${aws:usrename}' } }), when({ StringEquals: { 'kms:EncryptionContext:user': "${aws:usrename, 'nobody'}" } })],
  ['unknown-variable', when({ StringLike: { 'kms:EncryptionContext:user': '${aws:TagKeys}' } }), when({ StringLike: { 'kms:EncryptionContext:user': '${aws:PrincipalTag/name}' } })],
  ['unknown-variable', when({ StringLike: { 'kms:EncryptionContext:user': '${aws:username' } }), when({ StringLike: { 'kms:EncryptionContext:user': '${$}{aws:username' } })],
  ['unknown-variable', identity({ Resource: 'arn:aws:kms:*:*:key/${aws:SourceVpc}' }), identity({ Resource: 'arn:aws:kms:*:*:key/${aws:PrincipalTag/key}' }), 'identity'],
  ['contradictory-conditions', when({ StringEquals: { 'kms:KeySpec': 'RSA_2048' } }, { StringLike: { 'KMS:KeySpec': 'RSA_3072' } }), when({ StringEquals: { 'kms:KeySpec': ['RSA_2048', 'RSA_3072'] } }, { StringLike: { 'kms:KeySpec': 'RSA_3072' } })],
  ['contradictory-conditions', when({ StringEquals: { 'aws:PrincipalArn': alice } }, { StringNotEquals: { 'aws:PrincipalArn': [alice, root] } }), when({ StringEquals: { 'aws:PrincipalArn': alice } }, { StringNotEquals: { 'aws:PrincipalArn': root } })],
  ['contradictory-conditions', when({ Null: { 'kms:EncryptionContext:a': 'true' } }, { StringEquals: { 'kms:EncryptionContext:a': 'b' } }), when({ Null: { 'kms:EncryptionContext:a': 'false' } }, { StringEquals: { 'kms:EncryptionContext:a': 'b' } })],
  ['contradictory-conditions', when({ NumericLessThan: { 'kms:EncryptionContext:n': '7' } }, { NumericGreaterThan: { 'kms:EncryptionContext:n': '8' } }), when({ NumericLessThan: { 'kms:EncryptionContext:n': '8' } }, { NumericGreaterThan: { 'kms:EncryptionContext:n': '7' } })],
  ['contradictory-conditions', when({ DateGreaterThan: { 'aws:CurrentTime': '2026-02-01T00:00:00Z' } }, { DateLessThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' } }), when({ DateGreaterThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' } }, { DateLessThan: { 'aws:CurrentTime': '2026-02-01T00:00:00Z' } })],
  ['contradictory-conditions', when({ Bool: { 'kms:MultiRegion': 'true' } }, { StringEquals: { 'kms:MultiRegion': 'false' } }), when({ Bool: { 'kms:MultiRegion': 'true' } }, { StringEquals: { 'kms:MultiRegion': 'true' } })],
  ['contradictory-conditions', when({ StringEquals: { 'kms:EncryptionContext:a': 'b' } }, { StringLike: { 'kms:EncryptionContext:a': 'c' } }), when({ StringEquals: { 'kms:EncryptionContextKeys': 'b' } }, { StringLike: { 'kms:EncryptionContextKeys': 'c' } })],
  ['statement-without-effect', { Version: '2012-10-17', Statement: [administration, decrypt, { ...decrypt, Action: 'kms:De*' }] }, { Version: '2012-10-17', Statement: [administration, decrypt, { ...decrypt, Action: 'kms:De*', Resource: ['*', '${aws:username}'] }] }],
  ['no-administration', { Statement: [{ ...administration, Action: 'kms:Encrypt' }] }, { Statement: [{ ...administration, Action: 'kms:Put*' }] }],
  ['no-administration', { Statement: [{ ...administration, Effect: 'Deny' }, { ...decrypt, Action: '*', Principal: { Service: 'sns.amazonaws.com' } }] }, { Statement: [{ ...decrypt, Action: '*' }] }],
  ['no-administration', { Statement: [{ ...administration, Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-1' } } }] }, { Statement: [{ ...administration, Condition: { StringEquals: { 'aws:PrincipalTag/admin': 'yes' } } }] }],
  ['no-account-principal', { Statement: [{ ...decrypt, Action: '*' }] }, { Statement: [administration] }],
  ['deny-locks-out', withStatement({ Effect: 'Deny', Principal: '*', Action: 'kms:*' }), withStatement({ Effect: 'Deny', Principal: '*', Action: 'kms:Decrypt' })],
  ['deny-locks-out', withStatement({ Effect: 'Deny', Principal: { AWS: home }, Action: 'kms:Put*' }), withStatement({ Effect: 'Deny', Principal: { AWS: foreign }, Action: 'kms:Put*' })],
  ['deny-locks-out', withStatement({ Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: alice }, Action: '*' }), withStatement({ Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: [alice, root] }, Action: '*' })],
  ['deny-locks-out', withStatement({ Effect: 'Deny', Principal: '*', Action: 'kms:*', Condition: { StringNotEqualsIfExists: { 'aws:SourceVpce': 'vpce-1' } } }), withStatement({ Effect: 'Deny', Principal: '*', Action: 'kms:*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })],
  ['duplicate-sid', { Statement: [{ ...administration, Sid: 'a' }, { ...decrypt, Sid: 'a' }] }, { Statement: [{ ...administration, Sid: '' }, { ...decrypt, Sid: '' }] }],
  ['duplicate-statement', { Statement: [administration, { ...administration, Sid: 'again', Resource: ['*'] }] }, { Statement: [administration, { ...administration, Effect: 'Deny' }] }],
  ['duplicate-statement', withStatement({ ...administration, Action: ['kms:*'] }), withStatement({})],
  ['constant-condition-key', trust({ AWS: alice }, { Bool: { 'aws:MultiFactorAuthPresent': 'true' } }), trust({ AWS: alice }, { StringEquals: { 'sts:RoleSessionName': 'x' } }), 'trust'],
  ['constant-condition-key', trust({ AWS: alice }, { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'false' } }), trust({ AWS: alice }, { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'true' } }), 'trust'],
  ['absent-condition-key', trust({ AWS: alice }, { NumericLessThan: { 'aws:MultiFactorAuthAge': '3600' } }), trust({ AWS: alice }, { StringEquals: { 'aws:SourceIdentity': 'x' } }), 'trust'],
  ['absent-condition-key', trust({ AWS: alice }, { StringEquals: { 'aws:SourceArn': 'arn:aws:s3:::b' } }), trust({ Service: 'ec2.amazonaws.com' }, { StringEquals: { 'aws:SourceArn': 'arn:aws:s3:::b' } }), 'trust'],
  ['public-principal', trust('*'), trust('*', { StringEquals: { 'aws:PrincipalAccount': home } }), 'trust'],
  ['public-principal', trust({ AWS: '*' }, { StringEquals: { 'sts:ExternalId': 'x' } }), trust({ AWS: alice }), 'trust'],
  ['unknown-action', trust({ AWS: alice }, undefined, 'sts:AsumeRole'), trust({ AWS: alice }, undefined, 'sts:Assume*'), 'trust'],
  ['action-not-on-key', trust({ AWS: alice }, undefined, ['sts:AssumeRole', 'sts:GetCallerIdentity']), trust({ AWS: alice }, undefined, ['sts:AssumeRole', 'sts:TagSession']), 'trust'],
  ['unknown-condition-key', federated({ StringEquals: { 'oidc.example.com:sub': 'x' } }), federated({ StringEquals: { 'Token.Actions.githubusercontent.com:repository_owner': 'x' } }), 'trust'],
  ['condition-key-of-other-actions', trust({ Federated: `arn:aws:iam::${home}:oidc-provider/${github}` }, { StringEquals: { 'sts:ExternalId': 'x' } }, 'sts:AssumeRoleWithWebIdentity'), trust({ AWS: alice }, { StringEquals: { 'sts:ExternalId': 'x' } }), 'trust'],
  ['for-all-values-without-null', trust({ AWS: alice }, { 'ForAllValues:StringEquals': { 'aws:TagKeys': 'x' } }, ['sts:AssumeRole', 'sts:TagSession']), trust({ AWS: alice }, { 'ForAnyValue:StringEquals': { 'aws:TagKeys': 'x' } }, ['sts:AssumeRole', 'sts:TagSession']), 'trust'],
  ['missing-external-id', trust({ AWS: foreign }), trust({ AWS: foreign }, { StringEquals: { 'sts:ExternalId': 'x' } }), 'trust'],
  ['missing-external-id', trust({ AWS: `arn:aws:iam::${foreign}:root` }, { StringEqualsIfExists: { 'sts:ExternalId': 'x' } }), trust({ AWS: `arn:aws:iam::${foreign}:root` }, { Null: { 'STS:externalid': 'false' } }), 'trust'],
  ['missing-external-id', trust({ AWS: foreign }, { StringNotEquals: { 'sts:ExternalId': 'x' } }, 'sts:*'), trust({ AWS: `arn:aws:iam::${foreign}:role/deploy` }), 'trust'],
  ['token-of-anybody', federated(), repository, 'trust'],
  ['token-of-anybody', federated({ StringLikeIfExists: { [`${github}:sub`]: 'repo:octo-org/*' } }), federated({ StringEquals: { [`${github}:repository_id`]: '1' } }), 'trust'],
  ['token-of-anybody', federated(undefined, 'oidc.example.com:8443/id/a'), federated({ StringEquals: { 'oidc.example.com:8443/id/a:sub': 'x' } }, 'oidc.example.com:8443/id/a'), 'trust'],
  ['subject-of-anybody', bySubject('*'), repository, 'trust'],
  ['subject-of-anybody', bySubject('repo:*'), bySubject('repo:octo-org/*'), 'trust'],
  ['subject-of-anybody', bySubject('repo:*/octo-repo:*'), bySubject('repo:octo-org/?'), 'trust'],
  ['action-of-other-principals', trust({ Federated: `arn:aws:iam::${home}:oidc-provider/${github}` }), repository, 'trust'],
  ['action-of-other-principals', trust({ AWS: alice }, undefined, 'sts:AssumeRoleWithWebIdentity'), trust({ AWS: alice }, undefined, ['sts:AssumeRole', 'sts:AssumeRoleWithWebIdentity']), 'trust'],
  ['statement-without-effect', withStatement({ Principal: { AWS: [root] }, Action: ['kms:Decrypt', 'kms:Encrypt'] }), withStatement({ Action: ['kms:Decrypt', 'kms:Encrypt'] })],
  ['statement-without-effect', { Statement: [administration, decrypt, { ...decrypt, Effect: 'Deny', Principal: { AWS: home }, Action: 'kms:*crypt' }] }, { Statement: [administration, decrypt, { ...decrypt, Effect: 'Deny', Principal: { AWS: foreign } }] }],
  ['statement-without-effect', { Statement: [administration, decrypt, { ...decrypt, Effect: 'Deny', Principal: '*' }] }, { Statement: [administration, decrypt, { ...decrypt, Effect: 'Deny', Principal: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }] }],
]

describe('a lint rule', () => {
  it.each(cases.map(one => ({ one, rule: one[0], warned: one[1] })))('$rule: $warned', ({ one }) => {
    const [rule, warned, sound, kind = 'resource'] = one
    const account = kind === 'trust' ? home : undefined
    const rulesOf = (policy: object) => warningsOf(policy, { kind, account: account! }).map(warning => warning.rule)
    expect(rulesOf(warned)).toContain(rule)
    expect(rulesOf(sound)).not.toContain(rule)
  })

  it('is tried here, each of them', () => {
    expect([...new Set(cases.map(([rule]) => rule))].sort()).toEqual([...ruleNames].sort())
  })
})

describe('docs/policies.md', () => {
  it('lists the rules', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/policies.md'), 'utf8')
    const [, table] = /\| Rule \|.*\n((?:\|.*\n)+)/.exec(page)!
    const listed = table!.split('\n').flatMap(row => [...(row.split('|')[1]?.matchAll(/`([\w-]+)`/g) ?? [])])
    expect(listed.map(([, name]) => name).sort()).toEqual([...ruleNames].sort())
  })
})

describe('lint', () => {
  it('has nothing to say about a sound policy', () => {
    expect(warningsOf({ Version: '2012-10-17', Statement: [administration] })).toEqual([])
    expect(
      warningsOf(withStatement({ Condition: { StringEquals: { 'kms:EncryptionContext:purpose': 'x' } } })),
    ).toEqual([])
  })

  it('has nothing to say about a sound trust policy', () => {
    const sound = [
      trust({ AWS: alice }),
      trust({ AWS: root }, { StringEquals: { 'aws:PrincipalTag/team': 'red' } }),
      trust({ AWS: foreign }, { StringEquals: { 'sts:ExternalId': 'x' } }, ['sts:AssumeRole', 'sts:TagSession']),
      repository,
    ]
    for (const policy of sound) expect(warningsOf(policy, { kind: 'trust', account: home })).toEqual([])
  })

  it('does not know whose account a trust policy names, unless it is told or an identity provider tells', () => {
    const textsOf = (policy: object, account?: string) =>
      warningsOf(policy, { kind: 'trust', account: account! }).map(({ text }) => text)
    expect(textsOf(trust({ AWS: root }))).toEqual([
      `allows the account ${home} (unless it is the own account: see --account) without requiring sts:ExternalId`,
    ])
    expect(textsOf(trust({ AWS: root }), home)).toEqual([])
    const both = trust({ AWS: root, Federated: `arn:aws:iam::${home}:oidc-provider/${github}` })
    expect(textsOf(both)).toEqual([])
  })

  it('says where and what, in one sentence', () => {
    const policy = withStatement({ Sid: 'Typing', Action: 'kms:Encrpyt' })
    expect(warningsOf(policy)).toEqual([
      {
        rule: 'unknown-action',
        statement: { position: 2, sid: 'Typing' },
        text: 'names kms:Encrpyt, which no action matches: did you mean kms:Encrypt?',
      },
    ])
  })

  it('says of an absent key whether the condition always or never holds', () => {
    const textOf = (condition: object) => warningsOf(when(condition)).map(({ text }) => text.split(': ')[1])
    expect(textOf({ StringEquals: { 'aws:SourceVpc': 'vpc-1' } })).toEqual(['the condition never holds'])
    expect(textOf({ StringNotEquals: { 'aws:SourceVpc': 'vpc-1' } })).toEqual(['the condition always holds'])
    expect(textOf({ StringEqualsIfExists: { 'aws:SourceVpc': 'vpc-1' } })).toEqual(['the condition always holds'])
    expect(textOf({ Null: { 'aws:SourceVpc': 'true' } })).toEqual(['the condition always holds'])
  })

  it('takes the account of the key from whoever runs it, or from the first statement', () => {
    const shared = withStatement({ Principal: { AWS: foreign }, Action: 'kms:*' })
    const rules = (account?: string) => warningsOf(shared, { account: account! }).map(({ text }) => text.slice(0, 31))
    expect(rules()).toEqual([`allows the account ${foreign}`])
    expect(rules(foreign)).toEqual([`allows the account ${home}`])
  })

  it.each(guidePolicies.map(({ name, policy }) => [name, policy] as const))(
    'reads the policy of a guide: %s',
    (_name, policy) => {
      for (const { text } of warningsOf(policy)) expect(text).toMatch(/^[a-z][^\n]+[^.]$/)
    },
  )

  it('is right that a statement makes no difference', () => {
    const superfluous = new Set(['contradictory-conditions', 'duplicate-statement', 'statement-without-effect'])
    const found = new Set<string>()
    const questions = fc.noBias(fc.uint8Array({ minLength: size, maxLength: size })).map(questionsFrom)
    fc.assert(
      fc.property(questions, ({ questions: [random] }) => {
        const { context = {}, ...request } = random.request
        // What contradicts itself does so for one value.
        const single = Object.entries(context).map(([name, values]) => [name, values.slice(0, 1)] as const)
        const question = { ...random, request: { ...request, context: Object.fromEntries(single) } }
        const { resourcePolicy, identityPolicies = [] } = question
        const without = (policy: Policy, kind: 'resource' | 'identity'): Policy | undefined => {
          const [first] = warningsOf(policy, { kind }).filter(
            ({ rule, statement }) => statement && superfluous.has(rule),
          )
          if (!first) return undefined
          found.add(first.rule)
          return {
            ...policy,
            Statement: listOf(policy.Statement).filter((_, index) => index + 1 !== first.statement!.position),
          }
        }
        const outcome = decided(question)
        const shorter = resourcePolicy && without(resourcePolicy, 'resource')
        if (shorter && listOf(shorter.Statement).length > 0)
          expect(decided({ ...question, resourcePolicy: shorter })).toBe(outcome)
        identityPolicies.forEach((policy, index) => {
          const shorter = without(policy, 'identity')
          if (!shorter || listOf(shorter.Statement).length === 0) return
          expect(decided({ ...question, identityPolicies: identityPolicies.with(index, shorter) })).toBe(outcome)
        })
      }),
      { numRuns: 1500 },
    )
    expect(found.size).toBeGreaterThan(0)
  })

  it('takes a policy of 32 KB', () => {
    const statements = Array.from({ length: 250 }, (_, index) => ({
      ...decrypt,
      Sid: `s${index}`,
      Action: `kms:*${index}`,
    }))
    expect(warningsOf({ Statement: [administration, ...statements] })).toHaveLength(250)
  })
})
