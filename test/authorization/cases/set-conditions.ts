import { aliceIf, aliceUnless, type Case, decrypt } from './case.ts'

const sets = 'IAM User Guide, Set operators for multivalued context keys'
const examples = 'IAM User Guide, Multivalued context key examples'
const ifExists = 'IAM User Guide, Condition operators, ...IfExists condition operators'
const nullCheck = 'IAM User Guide, Condition operators, Condition operator to check existence of condition keys'

const tags = (...keys: string[]) => decrypt({ 'aws:TagKeys': keys })

/** ForAllValues, ForAnyValue, IfExists and Null. */
export const setConditions: readonly Case[] = [
  {
    title: 'ForAllValues matches if every value of the request is listed',
    source: sets,
    request: tags('team', 'stage'),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['stage', 'team', 'cost'] } }),
    decision: 'Allow',
  },
  {
    title: 'ForAllValues does not match if one value of the request is not listed',
    source: sets,
    request: tags('team', 'owner'),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['stage', 'team', 'cost'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ForAllValues matches a request without the key',
    source: sets,
    request: decrypt(),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] } }),
    decision: 'Allow',
  },
  {
    title: 'ForAllValues with a Null guard does not match a request without the key',
    source: examples,
    request: decrypt(),
    resourcePolicy: aliceIf({
      Null: { 'aws:TagKeys': 'false' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ForAllValues with a Null guard matches listed values',
    source: examples,
    request: tags('team'),
    resourcePolicy: aliceIf({
      Null: { 'aws:TagKeys': 'false' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] },
    }),
    decision: 'Allow',
  },
  {
    title: 'ForAllValues takes wildcards with StringLike: every key begins as listed',
    source: examples,
    request: tags('key1-a', 'key2-b'),
    resourcePolicy: aliceUnless({
      Null: { 'aws:TagKeys': 'false' },
      'ForAllValues:StringLike': { 'aws:TagKeys': ['key1*', 'key2*', 'key3*'] },
    }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'ForAllValues takes wildcards with StringLike: one key does not',
    source: examples,
    request: tags('key1-a', 'other'),
    resourcePolicy: aliceUnless({
      Null: { 'aws:TagKeys': 'false' },
      'ForAllValues:StringLike': { 'aws:TagKeys': ['key1*', 'key2*', 'key3*'] },
    }),
    decision: 'Allow',
  },
  {
    title: 'ForAllValues with a negated operator matches if no value of the request is listed',
    source: sets,
    request: tags('cost', 'owner'),
    resourcePolicy: aliceIf({ 'ForAllValues:StringNotEquals': { 'aws:TagKeys': ['team', 'stage'] } }),
    decision: 'Allow',
  },
  {
    title: 'ForAllValues with a negated operator does not match if one value of the request is listed',
    source: sets,
    request: tags('cost', 'team'),
    resourcePolicy: aliceIf({ 'ForAllValues:StringNotEquals': { 'aws:TagKeys': ['team', 'stage'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ForAnyValue matches if one value of the request is listed',
    source: examples,
    request: tags('environment', 'cost'),
    resourcePolicy: aliceUnless({ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['environment', 'webserver'] } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'ForAnyValue does not match if no value of the request is listed',
    source: examples,
    request: tags('cost'),
    resourcePolicy: aliceUnless({ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['environment', 'webserver'] } }),
    decision: 'Allow',
  },
  {
    title: 'ForAnyValue does not match a request without the key',
    source: sets,
    request: decrypt(),
    resourcePolicy: aliceIf({ 'ForAnyValue:StringLike': { 'aws:TagKeys': '*' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ForAnyValue with a negated operator matches if one value of the request is not listed',
    source: sets,
    request: tags('team', 'cost'),
    resourcePolicy: aliceIf({ 'ForAnyValue:StringNotEquals': { 'aws:TagKeys': ['team', 'stage'] } }),
    decision: 'Allow',
  },
  {
    title: 'ForAnyValue with a negated operator does not match if every value of the request is listed',
    source: sets,
    request: tags('team', 'stage'),
    resourcePolicy: aliceIf({ 'ForAnyValue:StringNotEquals': { 'aws:TagKeys': ['team', 'stage'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ForAnyValue with a negated operator does not match a request without the key',
    source: sets,
    request: decrypt(),
    resourcePolicy: aliceIf({ 'ForAnyValue:StringNotEquals': { 'aws:TagKeys': ['team', 'stage'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A set operator does not change how letter case is compared',
    source: sets,
    request: tags('Team'),
    resourcePolicy: aliceIf({ 'ForAnyValue:StringEqualsIgnoreCase': { 'aws:TagKeys': 'team' } }),
    decision: 'Allow',
  },
  {
    title: 'A key with an empty list of values is absent',
    source: sets,
    request: tags(),
    resourcePolicy: aliceIf({ Null: { 'aws:TagKeys': 'true' } }),
    decision: 'Allow',
  },
  {
    title: 'IfExists compares a key that exists',
    source: ifExists,
    request: decrypt({ 'kms:ViaService': ['s3.us-east-1.amazonaws.com'] }),
    resourcePolicy: aliceIf({ StringEqualsIfExists: { 'kms:ViaService': 'ec2.us-east-1.amazonaws.com' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'IfExists matches a key that does not exist',
    source: ifExists,
    request: decrypt(),
    resourcePolicy: aliceIf({ StringEqualsIfExists: { 'kms:ViaService': 'ec2.us-east-1.amazonaws.com' } }),
    decision: 'Allow',
  },
  {
    title: 'IfExists leaves other conditions alone',
    source: ifExists,
    request: decrypt(),
    resourcePolicy: aliceIf({
      StringEqualsIfExists: { 'kms:ViaService': 'ec2.us-east-1.amazonaws.com' },
      Bool: { 'aws:SecureTransport': 'true' },
    }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'IfExists on a negated operator of a Deny denies without the key',
    source: ifExists,
    request: decrypt(),
    resourcePolicy: aliceUnless({ StringNotEqualsIfExists: { 'aws:PrincipalTag/team': 'red' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'IfExists goes with wildcards',
    source: ifExists,
    request: decrypt({ 'kms:RequestAlias': ['alias/app1'] }),
    resourcePolicy: aliceIf({ StringLikeIfExists: { 'kms:RequestAlias': 'alias/app?' } }),
    decision: 'Allow',
  },
  {
    title: 'IfExists goes with numbers',
    source: ifExists,
    request: decrypt({ 'kms:RotationPeriodInDays': ['400'] }),
    resourcePolicy: aliceIf({ NumericLessThanIfExists: { 'kms:RotationPeriodInDays': '365' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'IfExists goes with addresses',
    source: ifExists,
    request: decrypt(),
    resourcePolicy: aliceUnless({ NotIpAddressIfExists: { 'aws:SourceIp': '203.0.113.0/24' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'IfExists goes with ForAllValues',
    source: ifExists,
    request: tags('team', 'owner'),
    resourcePolicy: aliceIf({ 'ForAllValues:StringEqualsIfExists': { 'aws:TagKeys': ['team'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Null with true matches an absent key: no temporary credentials',
    source: nullCheck,
    request: decrypt(),
    resourcePolicy: aliceIf({ Null: { 'aws:TokenIssueTime': 'true' } }),
    decision: 'Allow',
  },
  {
    title: 'Null with true does not match a key that is there: temporary credentials',
    source: nullCheck,
    request: decrypt({ 'aws:TokenIssueTime': ['2026-06-01T00:00:00Z'] }),
    resourcePolicy: aliceIf({ Null: { 'aws:TokenIssueTime': 'true' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Null with false matches a key that is there',
    source: nullCheck,
    request: decrypt({ 'aws:TokenIssueTime': ['2026-06-01T00:00:00Z'] }),
    resourcePolicy: aliceIf({ Null: { 'aws:TokenIssueTime': 'false' } }),
    decision: 'Allow',
  },
  {
    title: 'Null with false does not match an absent key',
    source: nullCheck,
    request: decrypt(),
    resourcePolicy: aliceIf({ Null: { 'aws:TokenIssueTime': 'false' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'Null takes a boolean beside a text: absent',
    source: 'IAM User Guide, Grammar of the IAM JSON policy language',
    request: decrypt(),
    resourcePolicy: aliceUnless({ Null: { 'kms:EncryptionContextKeys': true } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'Null takes a boolean beside a text: there',
    source: 'IAM User Guide, Grammar of the IAM JSON policy language',
    request: decrypt({ 'kms:EncryptionContextKeys': ['AppName'] }),
    resourcePolicy: aliceUnless({ Null: { 'kms:EncryptionContextKeys': true } }),
    decision: 'Allow',
  },
]
