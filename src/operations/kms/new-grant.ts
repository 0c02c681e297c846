/** The grant that CreateGrant is asked for: KMS API Reference, "CreateGrant". */
import { hash } from 'node:crypto'
import { Failure } from '../../errors.ts'
import { partitionOf } from '../../model/arn.ts'
import { namedPrincipal } from '../../model/identities/principals.ts'
import {
  checkGrantConstraints,
  checkGrantOperations,
  type Grant,
  type GrantConstraints,
  type GrantPrincipal,
  maximumGrants,
} from '../../model/keys/grant.ts'
import type { Key } from '../../model/keys/key.ts'
import type { Search, TargetKind } from '../operation.ts'
import { refuseServicePrincipal } from './grant-principals.ts'
import type { Input } from './operation.ts'
import { type KeyTarget, keyTarget } from './targets.ts'

type NewGrantInput = Input<'CreateGrant'>
type RequestedGrant = Omit<Grant, 'id' | 'creationDate' | 'revision'>

export interface NewGrantTarget extends KeyTarget {
  /** Available after the check: the grant of an identical request with the same name, or what is to be created. */
  readonly grant: Grant | RequestedGrant
}

/** The key of a new grant. A caller who may create it only by a grant may pass on that grant or a part of it. */
export const newGrant: TargetKind<NewGrantInput, NewGrantTarget> = {
  find(input, search) {
    const constraints = constraintsOf(input)
    const delegation = { operations: input.Operations, constraints }
    const target = keyTarget(input.KeyId, { state: 'grant', crossAccount: true, delegation }, search)
    let grant: NewGrantTarget['grant'] | undefined
    return {
      permissions: target.permissions,
      resources: target.resources,
      get key() {
        return target.key
      },
      get grant() {
        return grant!
      },
      check() {
        target.check()
        const requested = requestedGrant(input, target.key, search)
        grant = existing(requested, search) ?? requested
      },
    }
  },
}

/** Throws LimitExceeded if the key cannot have another one. */
function existing({ keyArn, fingerprint }: RequestedGrant, { storage: { grants } }: Search): Grant | undefined {
  const found = fingerprint === undefined ? undefined : grants.findByFingerprint(keyArn, fingerprint)
  if (found || grants.count(keyArn) < maximumGrants) return found
  throw new Failure('LimitExceeded', `A KMS key can have ${maximumGrants} grants at most.`)
}

/** Throws if the key cannot have such a grant. */
function requestedGrant(input: NewGrantInput, key: Key, { caller, storage }: Search): RequestedGrant {
  refuseServices(input)
  const { Name: name, Operations: operations, GranteePrincipal, RetiringPrincipal } = input
  const constraints = constraintsOf(input)
  checkGrantOperations(key, operations)
  checkGrantConstraints(key, constraints ?? {})
  const principal = (arn: string): GrantPrincipal => {
    const named = arn.startsWith('arn:') ? namedPrincipal(arn, partitionOf(key.region), storage.principals) : undefined
    if (!named) throw new Failure('InvalidArn', `ARN does not refer to a valid principal: ${arn}`)
    return { arn, uniqueId: named.id }
  }
  const grant = {
    keyArn: key.arn,
    region: key.region,
    name,
    grantee: principal(GranteePrincipal!),
    retiring: RetiringPrincipal === undefined ? undefined : principal(RetiringPrincipal),
    issuingAccount: caller.account,
    operations,
    constraints,
  }
  return { ...grant, fingerprint: name === undefined ? undefined : fingerprintOf(grant) }
}

/** No service calls this gateway, on behalf of a resource or otherwise: such a grant would be of no use to anybody. */
function refuseServices({ GranteePrincipal, Constraints, ...input }: NewGrantInput): void {
  refuseServicePrincipal('GranteeServicePrincipal', input.GranteeServicePrincipal)
  refuseServicePrincipal('RetiringServicePrincipal', input.RetiringServicePrincipal)
  if (Constraints?.SourceArn !== undefined) {
    throw new Failure('Validation', 'Constraints.SourceArn is not supported: no AWS service calls this gateway.')
  }
  if (GranteePrincipal !== undefined) return
  throw new Failure('Validation', 'You must specify either GranteePrincipal or GranteeServicePrincipal, but not both.')
}

function constraintsOf({ Constraints: constraints }: NewGrantInput): GrantConstraints | undefined {
  if (!constraints) return undefined
  const { EncryptionContextEquals: exact, EncryptionContextSubset: required } = constraints
  return {
    ...(exact && { EncryptionContextEquals: exact }),
    ...(required && { EncryptionContextSubset: required }),
  }
}

/** The order of operations and pairs makes no difference. */
function fingerprintOf({ operations, constraints = {}, ...grant }: Omit<RequestedGrant, 'fingerprint'>): string {
  const { EncryptionContextEquals: exact, EncryptionContextSubset: required } = constraints
  const sorted = (context?: object) => context && Object.entries(context).sort()
  const { name, grantee, retiring, issuingAccount } = grant
  const parts = [
    name,
    grantee,
    retiring,
    issuingAccount,
    [...new Set(operations)].sort(),
    sorted(exact),
    sorted(required),
  ]
  return hash('sha256', JSON.stringify(parts))
}
