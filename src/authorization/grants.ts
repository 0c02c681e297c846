/** Which grant allows a request, and what a grant may delegate: KMS Developer Guide, "Grants in AWS KMS". */
import { principalArn } from '../model/arn.ts'
import { uniqueId } from '../model/identities/caller.ts'
import { serviceNames } from '../model/identities/service-names.ts'
import { type Grant, type GrantConstraints, type GrantPrincipal, isWithin } from '../model/keys/grant.ts'
import type { FittingGrant, RequestPrincipal } from './request.ts'

/** What a caller wants to pass on in a new grant. */
export type Delegation = Pick<Grant, 'operations' | 'constraints'>

/**
 * The grant that allows a request of the principal. One to the caller itself comes first, then one to its role, then one to its account: they
 * are limited by ever more policies.
 *
 * @param find a grant to a principal that fits the request
 */
export function fittingGrant(
  principal: RequestPrincipal,
  find: (grantee: GrantPrincipal) => Grant | undefined,
): FittingGrant | undefined {
  for (const { grantee, named } of namesOf(principal)) {
    const grant = find(named)
    if (grant) return { id: grant.id, grantee }
  }
  return undefined
}

/**
 * Whether a grantee who may create grants only by a grant may create this one: KMS Developer Guide, "Granting CreateGrant permission". Each
 * link of a chain of grants is within the one before.
 */
export function mayDelegate({ operations, constraints }: Delegation, to: Delegation): boolean {
  return (
    operations.includes('CreateGrant') &&
    to.operations.every(operation => operations.includes(operation)) &&
    isWithin(to.constraints, constraints)
  )
}

/** The grant, if it allows the principal to retire it: KMS Developer Guide, "Retiring and revoking grants". */
export function retirementBy(
  principal: RequestPrincipal,
  { id, retiring, grantee, operations, constraints }: Grant,
): FittingGrant | undefined {
  const retirers = [
    retiring,
    operations.includes('RetireGrant') && isForSource(constraints, principal) ? grantee : undefined,
  ]
  for (const { grantee, named } of namesOf(principal)) {
    if (retirers.some(retirer => retirer && isSame(retirer, named))) return { id, grantee }
  }
  return undefined
}

/** Whether the grant is for the resource for which the principal calls, if it is for one only. */
export function isForSource({ SourceArn }: GrantConstraints = {}, { sourceArn }: RequestPrincipal): boolean {
  return SourceArn === undefined || SourceArn === sourceArn
}

function isSame(one: GrantPrincipal, other: GrantPrincipal): boolean {
  return one.arn === other.arn && one.uniqueId === other.uniqueId
}

interface Name extends Pick<FittingGrant, 'grantee'> {
  readonly named: GrantPrincipal
}

/**
 * The names by which grants can name a principal. A grant to a principal whose account had none here when it was created knows no unique
 * id.
 */
function* namesOf(principal: RequestPrincipal): Iterable<Name> {
  const { arn, roleArn, account, principalId, service, region = '' } = principal
  if (service !== undefined) {
    for (const name of serviceNames(service, region)) yield { grantee: 'caller', named: { arn: name } }
    return
  }
  yield { grantee: 'caller', named: { arn, uniqueId: principalId } }
  yield { grantee: 'caller', named: { arn } }
  if (roleArn !== undefined) {
    yield { grantee: 'role', named: { arn: roleArn, uniqueId: uniqueId({ principalId }) } }
    yield { grantee: 'role', named: { arn: roleArn } }
  }
  const partition = arn.slice('arn:'.length, arn.indexOf(':', 'arn:'.length))
  yield { grantee: 'account', named: { arn: principalArn(partition, account, 'root') } }
}
