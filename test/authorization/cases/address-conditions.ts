import { alice, aliceIf, aliceUnless, type Case, decrypt } from './case.ts'

const ip = 'IAM User Guide, Condition operators, IP address condition operators'
const arn = 'IAM User Guide, Condition operators, Amazon Resource Name (ARN) condition operators'

const from = (address: string) => decrypt({ 'aws:SourceIp': [address] })
const as = (principal: string) => decrypt({ 'aws:PrincipalArn': [principal] })

/** Operators on IP addresses and ARNs. */
export const addressConditions: readonly Case[] = [
  {
    title: 'IpAddress matches an address of the range',
    source: ip,
    request: from('203.0.113.200'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }),
    decision: 'Allow',
  },
  {
    title: 'IpAddress does not match an address outside the range',
    source: ip,
    request: from('203.0.114.1'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'IpAddress with a prefix inside a byte matches the last address of the range',
    source: ip,
    request: from('198.51.100.127'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '198.51.100.64/26' } }),
    decision: 'Allow',
  },
  {
    title: 'IpAddress with a prefix inside a byte does not match the next address',
    source: ip,
    request: from('198.51.100.128'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '198.51.100.64/26' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'IpAddress without a prefix matches the address',
    source: ip,
    request: from('203.0.113.7'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '203.0.113.7' } }),
    decision: 'Allow',
  },
  {
    title: 'IpAddress without a prefix matches no other address',
    source: ip,
    request: from('203.0.113.8'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '203.0.113.7' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'IpAddress with prefix 0 matches every IPv4 address',
    source: ip,
    request: from('192.0.2.1'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } }),
    decision: 'Allow',
  },
  {
    title: 'IpAddress with prefix 0 of IPv4 matches no IPv6 address',
    source: ip,
    request: from('2001:db8::1'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'IpAddress matches an IPv6 address of the range, in any notation',
    source: ip,
    request: from('2001:db8:1234:5678::1'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '2001:DB8:1234:5678::/64'] } }),
    decision: 'Allow',
  },
  {
    title: 'IpAddress does not match an IPv6 address outside the range',
    source: ip,
    request: from('2001:db8:1234:5679::1'),
    resourcePolicy: aliceIf({ IpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '2001:DB8:1234:5678::/64'] } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'NotIpAddress matches an address outside all ranges',
    source: 'IAM User Guide, AWS: Denies access to AWS based on the source IP',
    request: from('198.51.100.1'),
    resourcePolicy: aliceUnless({ NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '203.0.113.0/24'] } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotIpAddress does not match an address of one of the ranges',
    source: 'IAM User Guide, AWS: Denies access to AWS based on the source IP',
    request: from('203.0.113.1'),
    resourcePolicy: aliceUnless({ NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '203.0.113.0/24'] } }),
    decision: 'Allow',
  },
  {
    title: 'NotIpAddress matches a request without an address, as through a VPC endpoint',
    source: 'KMS Developer Guide, Using the IP address condition in policies with AWS KMS permissions',
    request: decrypt({ 'aws:VpcSourceIp': ['10.0.0.5'] }),
    resourcePolicy: aliceUnless({ NotIpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'ArnEquals matches the same ARN',
    source: arn,
    request: as(alice),
    resourcePolicy: aliceIf({ ArnEquals: { 'aws:PrincipalArn': alice } }),
    decision: 'Allow',
  },
  {
    title: 'ArnEquals takes wildcards as ArnLike does',
    source: arn,
    request: as(alice),
    resourcePolicy: aliceIf({ ArnEquals: { 'aws:PrincipalArn': 'arn:aws:iam::111122223333:user/*' } }),
    decision: 'Allow',
  },
  {
    title: 'ArnLike does not match another ARN',
    source: arn,
    request: as(alice),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::111122223333:role/*' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ArnLike distinguishes letter case',
    source: arn,
    request: as(alice),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::111122223333:user/Alice' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ArnLike takes wildcards in each part',
    source: arn,
    request: decrypt({ 'aws:SourceArn': ['arn:aws:sns:us-east-1:111122223333:topic'] }),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:SourceArn': 'arn:*:sns:us-*:1111????3333:top*' } }),
    decision: 'Allow',
  },
  {
    title: 'ArnLike matches each part by itself: no asterisk goes beyond its colons',
    source: arn,
    request: decrypt({
      'aws:SourceArn': ['arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt'],
    }),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:SourceArn': 'arn:aws:someservice:*:111122223333:finance/*' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'StringLike on the same values does match',
    source: arn,
    request: decrypt({
      'aws:SourceArn': ['arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt'],
    }),
    resourcePolicy: aliceIf({ StringLike: { 'aws:SourceArn': 'arn:aws:someservice:*:111122223333:finance/*' } }),
    decision: 'Allow',
  },
  {
    title: 'The last part of an ARN may contain colons',
    source: 'IAM User Guide, Identify AWS resources with Amazon Resource Names (ARNs)',
    request: decrypt({ 'aws:SourceArn': ['arn:aws:logs:us-east-1:111122223333:log-group:app:stream'] }),
    resourcePolicy: aliceIf({ ArnLike: { 'aws:SourceArn': 'arn:aws:logs:*:111122223333:log-group:*' } }),
    decision: 'Allow',
  },
  {
    title: 'ArnNotEquals does not match an ARN that the pattern matches',
    source: arn,
    request: as(alice),
    resourcePolicy: aliceIf({ ArnNotEquals: { 'aws:PrincipalArn': 'arn:aws:iam::111122223333:user/*' } }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'ArnNotLike matches another ARN',
    source: arn,
    request: as(alice),
    resourcePolicy: aliceIf({ ArnNotLike: { 'aws:PrincipalArn': 'arn:aws:iam::444455556666:user/*' } }),
    decision: 'Allow',
  },
  {
    title: 'ArnNotEquals matches an absent key',
    source: 'IAM User Guide, Condition operators, Important',
    request: decrypt(),
    resourcePolicy: aliceUnless({ ArnNotEquals: { 'aws:SourceArn': 'arn:aws:s3:::reports' } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'ArnEquals does not match an absent key: the user asks, not a service for a resource',
    source: arn,
    request: decrypt(),
    resourcePolicy: aliceIf({ ArnEquals: { 'aws:SourceArn': 'arn:aws:sns:us-east-1:111122223333:topic' } }),
    decision: 'ImplicitDeny',
  },
]
