import { Failure } from '../../errors.ts'
import { accountOfPrincipal, partitionOf } from '../../model/arn.ts'
import type { Permission, Target, TargetKind } from '../operation.ts'

/** Principals of grants: KMS API Reference, "CreateGrant", "ListGrants" and "ListRetirableGrants". */

interface RetiringInput {
  readonly RetiringPrincipal?: string | undefined
  readonly RetiringServicePrincipal?: string | undefined
}

/** The retiring principal is the resource, and must belong to the caller's account. */
export const retiringPrincipal: TargetKind<RetiringInput, Target> = {
  find({ RetiringPrincipal: arn, RetiringServicePrincipal: service }, { caller, operation }) {
    if ((arn === undefined) === (service === undefined)) {
      const text = 'You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.'
      throw new Failure('Validation', text)
    }
    refuseServicePrincipal('RetiringServicePrincipal', service)
    const account = accountOfPrincipal(arn!, partitionOf(caller.region))
    if (account === undefined) throw new Failure('InvalidArn', `Invalid ARN '${arn}'`)
    const permission: Permission = { action: operation, resource: arn!, account }
    return { permissions: [permission], resources: [], check() {} }
  },
}

/** Only AWS services may list grants to services, and none of them calls this gateway. */
export function refuseServicePrincipal(member: string, value: string | undefined): void {
  if (value === undefined) return
  throw new Failure('Validation', `${member} can be used by AWS service principals only.`)
}
