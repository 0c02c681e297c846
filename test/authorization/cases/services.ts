import type { Context, Policy, Statement } from '../naive-text.ts'
import { account, type Case, key, otherAccount, policy, role, root } from './case.ts'

const principal = 'IAM User Guide, AWS JSON policy elements: Principal, AWS service principals'
const deputy = 'IAM User Guide, The confused deputy problem, Cross-service confused deputy prevention'
const service = 's3.amazonaws.com'
const bucket = 'arn:aws:s3:::amzn-s3-demo-bucket'

function allowing(Principal: Statement['Principal'], Condition?: Statement['Condition']): Policy {
  return policy({
    Effect: 'Allow',
    Principal: Principal!,
    Action: 'kms:Decrypt',
    Resource: '*',
    ...(Condition && { Condition }),
  })
}

function asked(context: Context = {}, by = service) {
  return { principal: by, action: 'kms:Decrypt', resource: key, context }
}

const ofAccount = { StringEquals: { 'aws:SourceAccount': account } }
const ofBucket = { ArnLike: { 'aws:SourceArn': bucket }, ...ofAccount }

// biome-ignore-start format: a table
/** Services that act for themselves. */
export const services: readonly Case[] = [
  row('A service is named by Service', principal, asked(), allowing({ Service: service }), 'Allow'),
  row(
    'Another service is not named by it',
    principal,
    asked({}, 'sns.amazonaws.com'),
    allowing({ Service: service }),
    'ImplicitDeny',
  ),
  row(
    'Each service of a list is named',
    principal,
    asked(),
    allowing({ Service: ['sns.amazonaws.com', service] }),
    'Allow',
  ),
  row(
    'A service is named by its name in the region of the request',
    'IAM User Guide, AWS global condition context keys, aws:PrincipalServiceNamesList',
    asked(),
    allowing({ Service: 's3.us-east-1.amazonaws.com' }),
    'Allow',
  ),
  row(
    'A service is not named by its name in another region',
    'IAM User Guide, AWS global condition context keys, aws:PrincipalServiceNamesList',
    asked(),
    allowing({ Service: 's3.eu-west-1.amazonaws.com' }),
    'ImplicitDeny',
  ),
  row('The account principal names no service', principal, asked(), allowing({ AWS: root }), 'ImplicitDeny'),
  row(
    'The wildcard names services',
    'IAM User Guide, AWS JSON policy elements: Principal, All principals',
    asked(),
    allowing('*'),
    'Allow',
  ),
  row(
    'The wildcard denies services',
    'IAM User Guide, AWS global condition context keys, aws:PrincipalIsAWSService',
    asked(),
    policy(
      { Effect: 'Allow', Principal: { Service: service }, Action: 'kms:*', Resource: '*' },
      { Effect: 'Deny', Principal: '*', Action: 'kms:*', Resource: '*' },
    ),
    'ExplicitDeny',
  ),
  row(
    'aws:PrincipalIsAWSService spares services from a deny to everybody',
    'IAM User Guide, AWS global condition context keys, aws:PrincipalIsAWSService',
    asked({ 'aws:PrincipalIsAWSService': ['true'] }),
    policy(
      { Effect: 'Allow', Principal: { Service: service }, Action: 'kms:*', Resource: '*' },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 'kms:*',
        Resource: '*',
        Condition: { Bool: { 'aws:PrincipalIsAWSService': 'false' } },
      },
    ),
    'Allow',
  ),
  row(
    'NotPrincipal with the service spares it from a deny',
    'IAM User Guide, AWS JSON policy elements: NotPrincipal',
    asked(),
    policy(
      { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' },
      { Effect: 'Deny', NotPrincipal: { Service: service }, Action: 'kms:*', Resource: '*' },
    ),
    'Allow',
  ),
  row(
    'NotPrincipal with others denies a service',
    'IAM User Guide, AWS JSON policy elements: NotPrincipal',
    asked(),
    policy(
      { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' },
      { Effect: 'Deny', NotPrincipal: { AWS: [root, role] }, Action: 'kms:*', Resource: '*' },
    ),
    'ExplicitDeny',
  ),
  row(
    'aws:SourceAccount lets the service act for resources of the account',
    deputy,
    asked({ 'aws:SourceAccount': [account] }),
    allowing({ Service: service }, ofAccount),
    'Allow',
  ),
  row(
    'aws:SourceAccount keeps the service from acting for those of another account',
    deputy,
    asked({ 'aws:SourceAccount': [otherAccount] }),
    allowing({ Service: service }, ofAccount),
    'ImplicitDeny',
  ),
  row(
    'aws:SourceAccount keeps the service from acting for nobody',
    deputy,
    asked(),
    allowing({ Service: service }, ofAccount),
    'ImplicitDeny',
  ),
  row(
    'aws:SourceArn lets the service act for a resource',
    deputy,
    asked({ 'aws:SourceAccount': [account], 'aws:SourceArn': [bucket] }),
    allowing({ Service: service }, ofBucket),
    'Allow',
  ),
  row(
    'aws:SourceArn keeps the service from acting for another resource',
    deputy,
    asked({ 'aws:SourceAccount': [account], 'aws:SourceArn': ['arn:aws:s3:::other'] }),
    allowing({ Service: service }, ofBucket),
    'ImplicitDeny',
  ),
  row(
    'A bucket of the same name in another account is kept out by aws:SourceAccount',
    deputy,
    asked({ 'aws:SourceAccount': [otherAccount], 'aws:SourceArn': [bucket] }),
    allowing({ Service: service }, ofBucket),
    'ImplicitDeny',
  ),
  {
    title: 'A key policy that names no service lets none in',
    source: principal,
    request: asked(),
    resourcePolicy: allowing({ AWS: role }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'A service has no say over actions on no resource',
    source: principal,
    request: { principal: service, action: 'kms:CreateKey', resource: '*' },
    decision: 'ImplicitDeny',
  },
]
// biome-ignore-end format: a table

function row(
  title: string,
  source: string,
  request: Case['request'],
  resourcePolicy: Policy,
  decision: Case['decision'],
): Case {
  return { title, source, request, resourcePolicy, decision }
}
