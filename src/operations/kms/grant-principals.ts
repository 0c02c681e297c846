import { Failure } from '../../errors.ts'
import { accountOfPrincipal, partitionOf } from '../../model/arn.ts'
import type { Caller } from '../../model/identities/caller.ts'
import { namedPrincipal } from '../../model/identities/principals.ts'
import type { GrantPrincipal } from '../../model/keys/grant.ts'
import type { Permission, Target, TargetKind } from '../operation.ts'

/** Principals of grants: KMS API Reference, "CreateGrant", "ListGrants" and "ListRetirableGrants". */

interface RetiringInput {
  readonly RetiringPrincipal?: string | undefined
  readonly RetiringServicePrincipal?: string | undefined
}

export interface RetiringTarget extends Target {
  readonly retiring: GrantPrincipal
}

/** The retiring principal is the resource, and must belong to the caller's account. */
export const retiringPrincipal: TargetKind<RetiringInput, RetiringTarget> = {
  find({ RetiringPrincipal: arn, RetiringServicePrincipal: service }, { caller, storage, operation }) {
    if ((arn === undefined) === (service === undefined)) {
      const text = 'You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.'
      throw new Failure('Validation', text)
    }
    const partition = partitionOf(caller.region)
    if (service !== undefined)
      throw new Failure('Validation', 'RetiringServicePrincipal is not supported by this gateway.')
    const account = accountOfPrincipal(arn!, partition)
    if (account === undefined) throw new Failure('InvalidArn', `Invalid ARN '${arn}'`)
    const permission: Permission = { action: operation, resource: arn!, account }
    // Undefined if it does not exist: then it has no grants.
    const uniqueId = namedPrincipal(arn!, partition, storage.principals)?.id
    return { retiring: { arn: arn!, uniqueId }, permissions: [permission], resources: [], check() {} }
  },
}

/** Throws Validation unless a service calls, for itself or on behalf of a caller. */
export function checkServicePrincipal(member: string, value: string | undefined, caller: Caller): void {
  if (value === undefined || caller.type === 'service' || caller.via) return
  throw new Failure('Validation', `${member} can be used by AWS service principals only.`)
}
