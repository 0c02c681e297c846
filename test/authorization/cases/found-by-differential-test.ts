import { alias, aliceIf, aliceUnless, allowKms, type Case, dave, decrypt } from './case.ts'

/** Requests that the policy engine and the naive evaluator once decided differently. */
export const foundByDifferentialTest: readonly Case[] = [
  {
    title: 'IpAddress with prefix 0 of IPv6 matches no IPv4 address',
    source: 'IAM User Guide, Condition operators, IP address condition operators',
    request: decrypt({ 'aws:SourceIp': ['203.0.113.7'] }),
    resourcePolicy: aliceUnless({ IpAddress: { 'aws:SourceIp': '::/0' } }),
    decision: 'Allow',
  },
  {
    title: 'A resource without a policy is out of reach for another account',
    source: 'IAM User Guide, Cross-account policy evaluation logic',
    request: { principal: dave, action: 'kms:CreateAlias', resource: alias },
    identityPolicies: [allowKms],
    decision: 'ImplicitDeny',
  },
  {
    title: 'A number out of range matches no number, and least of all a text that is none',
    source: 'IAM User Guide, Condition operators, Numeric condition operators',
    request: decrypt({ 'kms:RotationPeriodInDays': ['1e999'] }),
    resourcePolicy: aliceIf({ NumericGreaterThanEquals: { 'kms:RotationPeriodInDays': 'a year' } }),
    decision: 'ImplicitDeny',
  },
]
