import { Failure } from '../errors.ts'
import { findPartition } from './partitions.ts'

/**
 * Formats and parses ARNs of keys, aliases and principals: KMS Developer Guide, "Key identifiers (KeyId)"; IAM User Guide, "IAM
 * identifiers".
 */

interface Place {
  /** 12 digits. */
  readonly account: string
  readonly region: string
}

/** The partition of a region, as ARNs name it. */
export function partitionOf(region: string): string {
  return findPartition(region).id
}

export function keyArn({ region, account }: Place, id: string): string {
  return `arn:${partitionOf(region)}:kms:${region}:${account}:key/${id}`
}

/** @param name with its `alias/` prefix */
export function aliasArn({ region, account }: Place, name: string): string {
  return `arn:${partitionOf(region)}:kms:${region}:${account}:${name}`
}

/** With its `alias/` prefix. */
export function aliasName(arn: string): string {
  return arn.slice(arn.indexOf(':alias/') + 1)
}

/** @param resource for example `root` or `user/administrator` */
export function principalArn(partition: string, account: string, resource: string): string {
  return `arn:${partition}:iam::${account}:${resource}`
}

/**
 * The ARN of a principal in the partition of a region. On AWS an account belongs to one partition; here it has the same principals in each.
 */
export function principalIn(region: string, arn: string): string {
  return `arn:${partitionOf(region)}${arn.slice(arn.indexOf(':', 'arn:'.length))}`
}

/** A principal, as its ARN names it. */
export interface PrincipalName {
  readonly type: 'root' | 'user' | 'role' | 'assumed-role' | 'federated-user'
  readonly account: string
  /** With a slash at its end; absent if there is none. Only users and roles have one. */
  readonly path?: string | undefined
  /** Of the user, role or federated user; empty for `root`. */
  readonly name: string
  /** Of an assumed role. */
  readonly session?: string | undefined
}

const iamPrincipal = /^arn:([^:]+):iam::(\d{12}):(?:(root)|(user|role)\/((?:[\w+=,.@-]+\/)+)?([\w+=,.@-]+))$/
const stsPrincipal =
  /^arn:([^:]+):sts::(\d{12}):(?:(federated-user)\/([\w+=,.@-]+)|(assumed-role)\/([\w+=,.@-]+)\/([\w+=,.@-]+))$/

/** A principal of the partition; undefined for anything else. */
export function parsePrincipal(arn: string, partition: string): PrincipalName | undefined {
  const [, ofIam, iamAccount, root, type, path, name = ''] = iamPrincipal.exec(arn) ?? []
  if (ofIam !== undefined)
    return ofIam === partition
      ? { type: (root ?? type) as PrincipalName['type'], account: iamAccount!, path, name }
      : undefined
  const [, ofSts, account, federated, user, assumed, role, session] = stsPrincipal.exec(arn) ?? []
  if (ofSts !== partition) return undefined
  return { type: (federated ?? assumed) as PrincipalName['type'], account: account!, name: (user ?? role)!, session }
}

/** The account of a principal of the partition; undefined for anything else. */
export function accountOfPrincipal(arn: string, partition: string): string | undefined {
  return parsePrincipal(arn, partition)?.account
}

/** @param session its name */
export function sessionArn(roleArn: string, session: string): string {
  const [, partition, , , account, resource] = roleArn.split(':')
  return `arn:${partition}:sts::${account}:assumed-role/${resource!.slice(resource!.lastIndexOf('/') + 1)}/${session}`
}

/** What a KeyId parameter names: always a full ARN, whatever form was sent. */
export interface KeyIdentifier {
  readonly form: 'key' | 'alias'
  readonly arn: string
  readonly account: string
}

/** Of a single-Region key, or of a multi-Region key. */
export function isKeyId(text: string): boolean {
  return keyId.test(text)
}

const keyId = /^(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|mrk-[0-9a-f]{32})$/

/**
 * Reads a KeyId in any of its four forms: key id, key ARN, alias name, alias ARN. Bare forms mean the caller's account and region. Throws
 * NotFound for anything else and for another region, InvalidArn for a malformed ARN.
 */
export function parseKeyIdentifier(text: string, caller: Place): KeyIdentifier {
  if (text.startsWith('arn:')) return parseArn(text, caller)
  const { account } = caller
  if (text.startsWith('alias/')) return { form: 'alias', arn: aliasArn(caller, text), account }
  if (!isKeyId(text)) throw new Failure('NotFound', `Invalid keyId '${text}'`)
  return { form: 'key', arn: keyArn(caller, text), account }
}

/** What follows the account is checked later: errors have an order. */
const kmsArn = /^arn:([^:]*):kms:([^:]+):(\d{12}):(.*)$/s

function parseArn(text: string, caller: Place): KeyIdentifier {
  const [, partition, region = '', account = '', resource = ''] = kmsArn.exec(text) ?? []
  if (!region || partition !== partitionOf(region)) throw new Failure('InvalidArn', `Invalid ARN '${text}'`)
  if (region !== caller.region) throw new Failure('NotFound', `Invalid arn ${region}`)
  if (resource.startsWith('alias/')) return { form: 'alias', arn: text, account }
  if (!resource.startsWith('key/')) throw new Failure('InvalidArn', `Invalid ARN '${text}'`)
  const id = resource.slice('key/'.length)
  if (!isKeyId(id)) throw new Failure('NotFound', `Invalid keyId ${id}`)
  return { form: 'key', arn: text, account }
}

const resourceTypes = [
  [':key/', 'AWS::KMS::Key'],
  [':alias/', 'AWS::KMS::Alias'],
  [':user/', 'AWS::IAM::User'],
  [':role/', 'AWS::IAM::Role'],
] as const

/** The resource type of AWS CloudFormation, which CloudTrail records with an ARN. */
export function resourceType(arn: string): string | undefined {
  return resourceTypes.find(([part]) => arn.includes(part))?.[1]
}
