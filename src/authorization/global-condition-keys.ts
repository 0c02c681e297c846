import { type ConditionKeys, type ConditionKeyType, conditionValues } from '../model/condition-keys.ts'
import { type Caller, issuedAt } from '../model/identities/caller.ts'
import { serviceNames } from '../model/identities/service-names.ts'
import { tagValues } from '../model/keys/tags.ts'
import type { ConditionValues } from './request.ts'

/** The condition keys of every request: IAM User Guide, "AWS global condition context keys". */

/** What a request contributes, besides its caller. What is absent is unknown. */
export interface RequestContext {
  /** IPv4 or IPv6; may be empty. */
  readonly sourceAddress?: string | undefined
  readonly userAgent?: string | undefined
  /** Of the header that is spelled like that. */
  readonly referer?: string | undefined
  /** Whether the request came over TLS. */
  readonly secure?: boolean | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

export function globalConditionKeys(caller: Caller, context: RequestContext): ConditionValues {
  return name => conditionValues(keys, name, { caller, context })
}

interface Subject {
  readonly caller: Caller
  readonly context: RequestContext
}

/** Those that are known here; no other keys are set. */
const keys: ConditionKeys<Subject> = {
  'aws:CalledVia': ({ caller }) => caller.via?.service,
  'aws:CalledViaFirst': ({ caller }) => caller.via?.service,
  'aws:CalledViaLast': ({ caller }) => caller.via?.service,
  'aws:CurrentTime': ({ context }) => new Date(context.startedAt).toISOString(),
  'aws:EpochTime': ({ context }) => Math.floor(context.startedAt / 1000),
  'aws:FederatedProvider': ({ caller }) => {
    if (caller.type === 'webIdentity') return caller.provider
    return caller.type === 'assumedRole' ? caller.federation?.provider : undefined
  },
  // Set for temporary credentials only. A session that is known here was not started with an MFA device.
  'aws:MultiFactorAuthPresent': ({ caller }) => (issuedAt(caller) === undefined ? undefined : false),
  'aws:PrincipalAccount': ({ caller }) => (isOfAccount(caller) ? caller.account : undefined),
  'aws:PrincipalArn': ({ caller }) => {
    if (!isOfAccount(caller)) return undefined
    return caller.type === 'assumedRole' ? caller.roleArn : caller.arn
  },
  'aws:PrincipalIsAWSService': ({ caller }) => caller.type === 'service',
  'aws:PrincipalServiceName': ({ caller }) => (caller.type === 'service' ? caller.service : undefined),
  'aws:PrincipalServiceNamesList': ({ caller }) =>
    caller.type === 'service' ? serviceNames(caller.service, caller.region) : undefined,
  'aws:PrincipalTag/': ({ caller }, tagKey) => tagValues(caller.tags, tagKey),
  'aws:PrincipalType': ({ caller }) => principalTypes[caller.type],
  'aws:Referer': ({ context }) => context.referer,
  'aws:RequestedRegion': ({ caller }) => caller.region,
  'aws:SecureTransport': ({ context }) => context.secure,
  'aws:SourceAccount': ({ caller }) => (caller.type === 'service' ? caller.sourceAccount : undefined),
  'aws:SourceArn': ({ caller }) => (caller.type === 'service' ? caller.sourceArn : undefined),
  'aws:SourceIdentity': ({ caller }) => (caller.type === 'assumedRole' ? caller.sourceIdentity : undefined),
  'aws:SourceIp': ({ context }) => context.sourceAddress || undefined,
  'aws:TokenIssueTime': ({ caller }) => {
    const time = issuedAt(caller)
    return time === undefined ? undefined : new Date(time).toISOString()
  },
  'aws:UserAgent': ({ context }) => context.userAgent,
  'aws:userid': ({ caller }) => (isOfAccount(caller) ? caller.principalId : undefined),
  'aws:username': ({ caller }) => (caller.type === 'user' ? caller.userName : undefined),
  'aws:ViaAWSService': ({ caller }) => caller.via !== undefined,
}

/** Services and web identities are principals of no account. */
function isOfAccount({ type }: Caller): boolean {
  return principalTypes[type] !== undefined
}

const principalTypes: Record<Caller['type'], string | undefined> = {
  user: 'User',
  assumedRole: 'AssumedRole',
  webIdentity: undefined,
  service: undefined,
  operator: 'Operator',
}

/** Condition keys for any service, whose values come from an operation or its resource. */
const keysOfOperations = ['aws:RequestTag/', 'aws:ResourceAccount', 'aws:ResourceTag/', 'aws:TagKeys']

/** Whether any request here can have a key of globalConditionKeyTypes. */
export function isGlobalKeyKnown(name: string): boolean {
  return Object.hasOwn(keys, name) || keysOfOperations.includes(name)
}

/** The type of every global condition key, also of those that no request has here. Names that end with `/` are families. */
export const globalConditionKeyTypes: Readonly<Record<string, ConditionKeyType>> = {
  'aws:AssumedRoot': 'Bool',
  'aws:CalledVia': 'ArrayOfString',
  'aws:CalledViaFirst': 'String',
  'aws:CalledViaLast': 'String',
  'aws:ChatbotSourceArn': 'ARN',
  'aws:CurrentTime': 'Date',
  'aws:Ec2InstanceSourcePrivateIPv4': 'IPAddress',
  'aws:Ec2InstanceSourceVpc': 'String',
  'aws:EpochTime': 'Date',
  'aws:FederatedProvider': 'String',
  'aws:MultiFactorAuthAge': 'Numeric',
  'aws:MultiFactorAuthPresent': 'Bool',
  'aws:PrincipalAccount': 'String',
  'aws:PrincipalArn': 'ARN',
  'aws:PrincipalIsAWSService': 'Bool',
  'aws:PrincipalOrgID': 'String',
  'aws:PrincipalOrgPaths': 'ArrayOfString',
  'aws:PrincipalServiceName': 'String',
  'aws:PrincipalServiceNamesList': 'ArrayOfString',
  'aws:PrincipalTag/': 'String',
  'aws:PrincipalType': 'String',
  'aws:Referer': 'String',
  'aws:RequestedRegion': 'String',
  'aws:RequestTag/': 'String',
  'aws:ResourceAccount': 'String',
  'aws:ResourceOrgID': 'String',
  'aws:ResourceOrgPaths': 'ArrayOfString',
  'aws:ResourceTag/': 'String',
  'aws:SecureTransport': 'Bool',
  'aws:SourceAccount': 'String',
  'aws:SourceArn': 'ARN',
  'aws:SourceIdentity': 'String',
  'aws:SourceIp': 'IPAddress',
  'aws:SourceOrgID': 'String',
  'aws:SourceOrgPaths': 'ArrayOfString',
  'aws:SourceOwner': 'String',
  'aws:SourceVpc': 'String',
  'aws:SourceVpce': 'String',
  'aws:TagKeys': 'ArrayOfString',
  'aws:TokenIssueTime': 'Date',
  'aws:UserAgent': 'String',
  'aws:userid': 'String',
  'aws:username': 'String',
  'aws:ViaAWSService': 'Bool',
  'aws:VpcSourceIp': 'IPAddress',
}
