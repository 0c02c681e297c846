/**
 * What a change concerns, as far as requests are decided by it: one key, the grants of a key to somebody, an account, or everybody. Used for
 * both ends of one promise: an answer waits until every gateway shows the changes that concern it, and a change is not committed if others
 * that concern it came in between.
 */
import type { Caller } from '../../model/identities/caller.ts'
import type { Grant } from '../../model/keys/grant.ts'
import type { Change, Noun } from '../storage.ts'
import type { RecordKey } from '../tables/table.ts'
import { keyOf } from '../tables/tables.ts'

/** The scope of what may concern any request. */
export const everybody = ''

/** Of keys: the first value of the primary key is the ARN. */
const ofKeys: ReadonlySet<Noun> = new Set(['keys', 'grants'] as const)
/** Only the HSM has to do with them. */
const ofNobody: ReadonlySet<Noun> = new Set(['systemKeys', 'spareKeys', 'wrappingKeys', 'destructions'] as const)

/** By the key of its record alone: a KMS key or everybody. Undefined: no request is decided by such a record. */
export function scopeOf(noun: Noun, key: RecordKey): string | undefined {
  if (ofKeys.has(noun)) return key[0] as string
  return ofNobody.has(noun) ? undefined : everybody
}

/** A key, its grants to somebody, an account, everybody, or undefined. */
function scopeOfChange(change: Change): string | undefined {
  return narrowScopeOf(change) ?? scopeOf(change.noun, keyOf(change.noun, change.record))
}

/** Of what a change itself was decided by, besides the records that it changes, whose revisions tell. */
export function decisiveScopeOf(change: Change): string | undefined {
  return change.noun === 'grants' ? change.record.keyArn : scopeOfChange(change)
}

/** Of a change that may forbid something: what is new forbids nothing. */
export function forbiddingScopeOf(change: Change): string | undefined {
  const isNew = change.action === 'put' && change.record.revision === 1
  return isNew ? undefined : scopeOfChange(change)
}

/** Of an identity or a grant. */
function narrowScopeOf(change: Change): string | undefined {
  switch (change.noun) {
    case 'accounts':
      return change.record.id
    case 'principals':
    case 'groups':
    case 'managedPolicies':
    case 'oidcProviders':
      return change.record.account
    case 'accessKeys':
      return accountIn(change.record.principalArn)
    case 'grants':
      return grantScope(change.record)
    default:
      return undefined
  }
}

/** What a request is decided by: keys, their grants to the caller, and the accounts of the caller and of what is named. */
export function scopesOf(resources: readonly string[], caller: Pick<Caller, 'account' | 'arn'>): readonly string[] {
  const arns = 'roleArn' in caller ? [caller.arn, caller.roleArn as string] : [caller.arn]
  const grants = resources.flatMap(keyArn => arns.map(arn => scopeOfGrants(keyArn, arn)))
  const scopes = new Set([caller.account, ...resources, ...resources.map(accountIn), ...grants])
  return [...scopes].filter(scope => scope !== everybody)
}

/** Many grants of one key may be removed at once: that forbids something to their grantees only. */
function grantScope({ keyArn, grantee }: Pick<Grant, 'keyArn' | 'grantee'>): string {
  const isOne = /^arn:[^:]*:(iam|sts)::\d+:(user|role|assumed-role)\//.test(grantee.arn)
  return isOne ? scopeOfGrants(keyArn, grantee.arn) : keyArn
}

function scopeOfGrants(keyArn: string, granteeArn: string): string {
  return `${keyArn} ${granteeArn}`
}

/** ARNs: AWS General Reference, "Amazon Resource Names". */
function accountIn(arn: string): string {
  return arn.split(':')[4] ?? ''
}
