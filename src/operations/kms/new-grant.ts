/** The grant that CreateGrant is asked for: KMS API Reference, "CreateGrant". */
import { hash } from 'node:crypto'
import { Failure } from '../../errors.ts'
import { partitionOf } from '../../model/arn.ts'
import { namedPrincipal } from '../../model/identities/principals.ts'
import { isNameOf } from '../../model/identities/service-names.ts'
import {
  checkGrantConstraints,
  checkGrantOperations,
  type Grant,
  type GrantConstraints,
  type GrantPrincipal,
  isService,
  maximumGrants,
} from '../../model/keys/grant.ts'
import type { Key } from '../../model/keys/key.ts'
import type { Storage } from '../../services.ts'
import type { Search, TargetKind } from '../operation.ts'
import { checkServicePrincipal } from './grant-principals.ts'
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
  const { Name: name, Operations: operations } = input
  const constraints = constraintsOf(input)
  checkGrantOperations(key, operations)
  checkGrantConstraints(key, constraints ?? {})
  const principal = (role: 'Grantee' | 'Retiring'): GrantPrincipal | undefined => {
    const [arn, service] = [input[`${role}Principal`], input[`${role}ServicePrincipal`]]
    checkServicePrincipal(`${role}ServicePrincipal`, service, caller)
    if (arn !== undefined && service !== undefined) throw oneOf(role)
    if (service !== undefined) return serviceIn(key.region, service, storage)
    return arn === undefined ? undefined : principalIn(key.region, arn, storage)
  }
  const grantee = principal('Grantee')
  if (grantee === undefined) throw oneOf('Grantee')
  if (constraints?.SourceArn !== undefined && !isService(grantee)) throw new Failure('Validation', onlyServices)
  const grant = {
    keyArn: key.arn,
    region: key.region,
    name,
    grantee,
    retiring: principal('Retiring'),
    issuingAccount: caller.account || key.account,
    operations,
    constraints,
  }
  return { ...grant, fingerprint: name === undefined ? undefined : fingerprintOf(grant) }
}

function principalIn(region: string, arn: string, { principals }: Storage): GrantPrincipal {
  const named = arn.startsWith('arn:') ? namedPrincipal(arn, partitionOf(region), principals) : undefined
  if (!named) throw new Failure('InvalidArn', `ARN does not refer to a valid principal: ${arn}`)
  return { arn, uniqueId: named.id }
}

/** With or without the region in its name. */
function serviceIn(region: string, name: string, { services }: Storage): GrantPrincipal {
  if (services.all().some(service => isNameOf(name, service.name, region))) return { arn: name }
  throw new Failure('Validation', `There is no service ${name}.`)
}

const onlyServices = 'Constraints.SourceArn can be used with GranteeServicePrincipal only.'

function oneOf(role: 'Grantee' | 'Retiring'): Failure {
  const text = `You must specify either ${role}Principal or ${role}ServicePrincipal, but not both.`
  return new Failure('Validation', text)
}

function constraintsOf({ Constraints: constraints }: NewGrantInput): GrantConstraints | undefined {
  if (!constraints) return undefined
  const { EncryptionContextEquals: exact, EncryptionContextSubset: required, SourceArn } = constraints
  return {
    ...(exact && { EncryptionContextEquals: exact }),
    ...(required && { EncryptionContextSubset: required }),
    ...(SourceArn !== undefined && { SourceArn }),
  }
}

/** The order of operations and pairs makes no difference. */
function fingerprintOf({ operations, constraints = {}, ...grant }: Omit<RequestedGrant, 'fingerprint'>): string {
  const { EncryptionContextEquals: exact, EncryptionContextSubset: required, SourceArn } = constraints
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
    ...(SourceArn === undefined ? [] : [SourceArn]),
  ]
  return hash('sha256', JSON.stringify(parts))
}
