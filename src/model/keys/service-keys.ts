/**
 * Keys of services: KMS Developer Guide, "AWS managed keys" and "AWS owned keys". An AWS managed key belongs to an account, and is used
 * through its service. An AWS owned key belongs to the service, which uses it for whatever account it works for.
 */
import { Failure } from '../../errors.ts'
import { keyArn, partitionOf, principalArn } from '../arn.ts'
import { serviceNames } from '../identities/service-names.ts'
import { isGrantOperation } from './grant.ts'
import type { Key, KeyManager } from './key.ts'

const domain = '.amazonaws.com'
const prefix = 'alias/aws/'

interface ServiceOfAws {
  /** Its predefined alias. */
  readonly alias: string
  /** Its service principal. */
  readonly service: string
  /** As in the description of its key. */
  readonly protects: string
}

// biome-ignore format: a table
const known: readonly ServiceOfAws[] = [
  row('acm',               'ACM private keys'),
  row('backup',            'Backup data'),
  row('dynamodb',          'DynamoDB data'),
  row('ebs',               'EBS volumes', 'ec2'),
  row('elasticfilesystem', 'EFS filesystems'),
  row('es',                'Elasticsearch data'),
  row('glue',              'Glue data'),
  row('kinesis',           'Kinesis data'),
  row('kinesisvideo',      'Kinesis Video Streams data'),
  row('lambda',            'Lambda functions'),
  row('rds',               'RDS database volumes'),
  row('redshift',          'Redshift clusters'),
  row('s3',                'S3 objects'),
  row('secretsmanager',    'Secrets Manager data'),
  row('sns',               'SNS data'),
  row('sqs',               'SQS messages'),
  row('ssm',               'SSM parameters'),
  row('xray',              'X-Ray data'),
]

function row(name: string, protects: string, label = name): ServiceOfAws {
  return { alias: prefix + name, service: label + domain, protects }
}

/** Undefined for a service whose name has several labels before its domain: it has no keys. */
export function predefinedAlias(service: string): string | undefined {
  const ofAws = known.find(row => row.service === service)
  if (ofAws) return ofAws.alias
  const label = /^([a-z0-9-]+)\.amazonaws\.com$/.exec(service)?.[1]
  const isTaken = known.some(({ alias }) => alias === prefix + label)
  return label === undefined || isTaken ? undefined : prefix + label
}

export function isPredefinedAlias(name: string): boolean {
  return name.startsWith(prefix)
}

/**
 * Throws AccessDenied for an operation that manages a key of a service, rather than use, grant or show it. The key policy allows none either,
 * but emulator mode can leave policies out.
 */
export function checkManagement({ arn, manager }: Pick<Key, 'arn' | 'manager'>, operation: string): void {
  if (!manager || isGrantOperation(operation) || /^(Describe|Get|List)|^RevokeGrant$/.test(operation)) return
  throw new Failure('AccessDenied', `${arn} is managed by ${manager.service}.`)
}

/** Service principals of AWS, for emulator mode. */
export const servicesOfAws: readonly string[] = known.map(({ service }) => service)

/** Whose key is to be created. */
export interface ServiceKeyPlace extends KeyManager, Pick<Key, 'account' | 'region'> {
  /** Whether principals of the account may use it without the service, too, if their identity-based policies allow that. */
  readonly direct: boolean
}

/** A key of a service that is to be created: without materials. */
export interface NewServiceKey {
  readonly key: Key
  /** Predefined: `alias/aws/s3`. */
  readonly alias: string
}

export function newServiceKey(id: string, alias: string, place: ServiceKeyPlace): NewServiceKey {
  const { service, owned, account, region } = place
  const key: Key = {
    arn: keyArn({ account, region }, id),
    id,
    account,
    region,
    spec: 'SYMMETRIC_DEFAULT',
    usage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    state: 'Enabled',
    description: descriptionOf(alias),
    creationDate: 0,
    tags: [],
    policy: serviceKeyPolicy(alias, place),
    policyPrincipals: {},
    materials: [],
    manager: { service, owned },
    revision: 0,
  }
  return { key, alias }
}

/** As on AWS. */
function descriptionOf(alias: string): string {
  const protects = known.find(row => row.alias === alias)?.protects ?? `${alias.slice(prefix.length)} data`
  return `Default key that protects my ${protects} when no other key is defined`
}

const use = ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey']
const usedByCallers = [...use, 'kms:CreateGrant']

/**
 * The key policy, which nobody can change: it allows no management. That of an AWS managed key is like those of AWS (KMS Developer Guide, "AWS
 * managed keys"), and lets the service use the key by itself, too, for resources of the account.
 */
function serviceKeyPolicy(alias: string, { service, account, region, owned, direct }: ServiceKeyPlace): string {
  const ofService = { Effect: 'Allow', Principal: { Service: service }, Action: use, Resource: '*' }
  const ofAccount = [
    {
      Sid: `Allow access through ${service} for all principals in the account that are authorized to use it`,
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: usedByCallers,
      Resource: '*',
      Condition: {
        StringEquals: { 'kms:CallerAccount': account, 'kms:ViaService': serviceNames(service, region).at(-1) },
      },
    },
    {
      Sid: `Allow ${service} to use the key for resources of the account`,
      ...ofService,
      Condition: { StringEquals: { 'aws:SourceAccount': account } },
    },
    {
      Sid: 'Allow direct access to key metadata to the account',
      Effect: 'Allow',
      Principal: { AWS: principalArn(partitionOf(region), account, 'root') },
      Action: [...(direct ? usedByCallers : []), 'kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'],
      Resource: '*',
    },
  ]
  const Id = `auto-${alias.slice(prefix.length)}`
  const Statement = owned ? [{ Sid: `Allow ${service} to use the key`, ...ofService }] : ofAccount
  return JSON.stringify({ Version: '2012-10-17', Id, Statement }, null, 2)
}
