/** Sessions of roles, however they start. */
import { checkIdentityPolicy } from '../../authorization/identity-policy.ts'
import { AccessDenied, Failure } from '../../errors.ts'
import { parsePrincipal, partitionOf, principalIn, sessionArn } from '../../model/arn.ts'
import { conditionValues } from '../../model/condition-keys.ts'
import { awsManagedPolicy } from '../../model/identities/aws-managed-policies.ts'
import { isOfType, type Role } from '../../model/identities/principal.ts'
import type { RoleSession } from '../../model/identities/session.ts'
import { tagValues } from '../../model/keys/tags.ts'
import type { ConditionValues, Services, Storage } from '../../services.ts'
import { packedPolicySize } from '../../vault/session-tokens.ts'
import type { Permission, Target } from '../operation.ts'
import { issueCredentials } from './credentials.ts'
import type { Input, Output } from './operation.ts'

export interface RoleTarget extends Target {
  /** Undefined if there is none: then nobody may assume it. */
  readonly role: Role | undefined
}

/** The role that an ARN names, if there is one. */
export interface NamedRole {
  readonly arn: string
  /** 12 digits. */
  readonly account: string
  readonly role: Role | undefined
}

/** Throws Validation unless the ARN is that of a role, in the partition of the region. */
export function roleNamed(arn: string, region: string, { principals }: Storage): NamedRole {
  const named = parsePrincipal(arn, partitionOf(region))
  if (named?.type !== 'role') {
    throw new Failure('Validation', arn.startsWith('arn:') ? 'Request ARN is invalid' : `${arn} is invalid`)
  }
  const found = principals.named(named.account, 'role', named.name)
  const isThat = isOfType('role', found) && principalIn(region, found.arn) === arn
  return { arn, account: named.account, role: isThat ? found : undefined }
}

/** No generated unique id has zeros. Not empty, so that to refuse a role that does not exist takes as long as to refuse one that does. */
const trustingNobody = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Principal: { AWS: 'AROA00000000000000000' }, Action: 'sts:AssumeRole' },
})

/**
 * Permissions on a role, by its trust policy and the caller's policies. One that does not exist trusts nobody.
 *
 * @param denial its message, by action: the same whether the role exists or not
 */
export function rolePermissions(
  actions: readonly string[],
  { arn, account, role }: NamedRole,
  denial: (action: string) => string,
): readonly Permission[] {
  const { trustPolicy: text = trustingNobody, trustPrincipals: principalIds } = role ?? {}
  const resourcePolicy = { text, principalIds, kind: 'trust' } as const
  const conditionKeys = roleConditionKeys(account, role)
  return actions.map(action => ({
    action,
    resource: arn,
    account,
    resourcePolicy,
    conditionKeys,
    denial: denial(action),
    ...(!role && { reason: noRole(arn) }),
  }))
}

function noRole(arn: string): string {
  return `There is no role ${arn}.`
}

/** Throws AccessDenied, the same as without a permission, if there is no such role: an emulator may enforce no policies. */
export function requireRole({ arn, role }: NamedRole, action: string, denial: (action: string) => string): Role {
  if (role) return role
  throw new AccessDenied(denial(action), {
    action: `sts:${action}`,
    resource: arn,
    reasons: [noRole(arn)],
  })
}

function roleConditionKeys(account: string, role: Role | undefined): ConditionValues {
  const tags = (_: object, tagKey: string) => tagValues(role?.tags, tagKey)
  const keys = { 'aws:ResourceAccount': () => account, 'aws:ResourceTag/': tags, 'iam:ResourceTag/': tags }
  return name => conditionValues(keys, name, {})
}

/** Seconds: STS API Reference, "AssumeRole"; IAM User Guide, "Roles terms and concepts", role chaining. */
const hour = 3600

/**
 * The length of a session in seconds. Throws Validation if more is asked for than is allowed.
 *
 * @param isChained whether temporary credentials ask
 */
export function sessionDuration(asked: number | undefined, role: Role, isChained: boolean): number {
  const { maxSessionDuration } = role
  if (asked === undefined) return Math.min(hour, maxSessionDuration)
  if (asked > maxSessionDuration) {
    throw new Failure('Validation', 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.')
  }
  if (isChained && asked > hour) {
    const text = 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.'
    throw new Failure('Validation', text)
  }
  return asked
}

type Passed = Pick<Input<'AssumeRole'>, 'Policy' | 'PolicyArns' | 'RoleSessionName'>
type Started = Pick<Output<'AssumeRole'>, 'Credentials' | 'AssumedRoleUser' | 'PackedPolicySize'>

/**
 * Starts a session.
 *
 * Rejects with MalformedPolicyDocument or Validation for a session policy, with PackedPolicyTooLarge if it is too large together with the
 * tags.
 *
 * @param seconds its length
 */
export async function startSession(
  role: Role,
  { Policy, PolicyArns = [], RoleSessionName: name }: Passed,
  session: Omit<RoleSession, 'name' | 'policies'>,
  { seconds, region }: { readonly seconds: number; readonly region: string },
  services: Pick<Services, 'storage' | 'hsms' | 'clock'>,
): Promise<Started> {
  if (Policy !== undefined) checkIdentityPolicy(Policy)
  const managed = PolicyArns.map(({ arn = '' }) => managedPolicy(arn, role, services.storage))
  const policies = Policy === undefined ? managed : [Policy, ...managed]
  const roleSession = { name, ...session, ...(policies.length > 0 && { policies }) }
  const { principalId } = role
  const Credentials = await issueCredentials({ principalId, role: roleSession }, seconds, region, services)
  const arn = sessionArn(principalIn(region, role.arn), name)
  const isPacked = policies.length > 0 || (session.tags?.length ?? 0) > 0
  return {
    Credentials,
    AssumedRoleUser: { AssumedRoleId: `${principalId}:${name}`, Arn: arn },
    ...(isPacked && { PackedPolicySize: packedSize(principalId, roleSession, Credentials.Expiration!) }),
  }
}

function packedSize(principalId: string, role: RoleSession, expiration: Date): number {
  const time = expiration.getTime()
  return packedPolicySize({ accessKeyId: '', principalId, issuedAt: time, expiresAt: time, role })
}

/** Its text. Of the account of the role, or of AWS: STS API Reference, "AssumeRole". */
function managedPolicy(arn: string, { account }: Role, { managedPolicies }: Storage): string {
  const own = managedPolicies.find(arn)
  const text = awsManagedPolicy(arn) ?? (own?.account === account ? own.document : undefined)
  if (text === undefined) throw new Failure('Validation', `Policy ${arn} does not exist or is not attachable.`)
  return text
}
