import type { GrantOperation, KeyUsageType } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import type { EncryptionContext } from './encryption-context.ts'
import type { Key } from './key.ts'
import { keySpecs } from './key-spec.ts'

export type { GrantOperation }

/** A permission to use a KMS key, given to one principal: KMS Developer Guide, "Grants in AWS KMS". It never changes. */
export interface Grant {
  /** 64 lower-case hex digits. */
  readonly id: string
  readonly keyArn: string
  /** Region of the key. */
  readonly region: string
  readonly name?: string | undefined
  readonly grantee: GrantPrincipal
  readonly retiring?: GrantPrincipal | undefined
  /** Account of the principal that created it. */
  readonly issuingAccount: string
  /** In the order in which they were given. */
  readonly operations: readonly GrantOperation[]
  readonly constraints?: GrantConstraints | undefined
  /** Milliseconds since the epoch. */
  readonly creationDate: number
  /** Only of a grant with a name: the same for every request that is answered with this grant. */
  readonly fingerprint?: string | undefined
  readonly revision: number
}

/** What identifies a grant. */
export type GrantIdentity = Pick<Grant, 'keyArn' | 'id'>

/** A principal that a grant names. */
export interface GrantPrincipal {
  /** As it was given: of an account (`:root`), a user, a role, a role session or a federated user; of a service, its name. */
  readonly arn: string
  /**
   * IAM unique id, at the time, of the user, of the role, or of the role of the session: one created again under the same name is another
   * principal. Absent if there is none, or the account is not one of this gateway.
   */
  readonly uniqueId?: string | undefined
}

/** Members as in KMS. Both may be given: then both apply. */
export interface GrantConstraints {
  /** The encryption context has these pairs, and no others. */
  readonly EncryptionContextEquals?: EncryptionContext | undefined
  /** The encryption context has these pairs. */
  readonly EncryptionContextSubset?: EncryptionContext | undefined
  /** The resource for which a service calls: `aws:SourceArn`. Unlike the others it applies to every operation. */
  readonly SourceArn?: string | undefined
}

/** Whether a grant names a service. */
export function isService({ arn }: GrantPrincipal): boolean {
  return !arn.startsWith('arn:')
}

/** KMS Developer Guide, "Resource quotas". */
export const maximumGrants = 50_000

interface GrantOperationRow {
  /** The usage of the keys that support it; absent if every usage does. */
  readonly usage?: KeyUsageType
  /** The type of the keys that support it; absent if every type does. */
  readonly type?: 'symmetric' | 'asymmetric'
  /** Whether constraints apply to it. To CreateGrant they apply by way of the constraints of the new grant. */
  readonly constrained: boolean
}

/** KMS Developer Guide, "Grant operations". */
// biome-ignore format: a table
export const grantOperations: Readonly<Record<GrantOperation, GrantOperationRow>> = {
  Decrypt:                             { usage: 'ENCRYPT_DECRYPT', constrained: true },
  Encrypt:                             { usage: 'ENCRYPT_DECRYPT', constrained: true },
  GenerateDataKey:                     { usage: 'ENCRYPT_DECRYPT', type: 'symmetric', constrained: true },
  GenerateDataKeyWithoutPlaintext:     { usage: 'ENCRYPT_DECRYPT', type: 'symmetric', constrained: true },
  GenerateDataKeyPair:                 { usage: 'ENCRYPT_DECRYPT', type: 'symmetric', constrained: true },
  GenerateDataKeyPairWithoutPlaintext: { usage: 'ENCRYPT_DECRYPT', type: 'symmetric', constrained: true },
  ReEncryptFrom:                       { usage: 'ENCRYPT_DECRYPT', constrained: true },
  ReEncryptTo:                         { usage: 'ENCRYPT_DECRYPT', constrained: true },
  Sign:                                { usage: 'SIGN_VERIFY', constrained: false },
  Verify:                              { usage: 'SIGN_VERIFY', constrained: false },
  GenerateMac:                         { usage: 'GENERATE_VERIFY_MAC', constrained: false },
  VerifyMac:                           { usage: 'GENERATE_VERIFY_MAC', constrained: false },
  DeriveSharedSecret:                  { usage: 'KEY_AGREEMENT', constrained: false },
  Encapsulate:                         { usage: 'ENCAPSULATE_DECAPSULATE', constrained: false },
  Decapsulate:                         { usage: 'ENCAPSULATE_DECAPSULATE', constrained: false },
  GetPublicKey:                        { type: 'asymmetric', constrained: false },
  CreateGrant:                         { constrained: true },
  DescribeKey:                         { constrained: false },
  RetireGrant:                         { constrained: false },
}

export function isGrantOperation(operation: string): operation is GrantOperation {
  return Object.hasOwn(grantOperations, operation)
}

/** Throws Validation if grants of the key cannot include the operations. */
export function checkGrantOperations(
  { spec, usage }: Pick<Key, 'spec' | 'usage'>,
  operations: readonly GrantOperation[],
): void {
  if (operations.every(operation => operation === 'CreateGrant')) {
    throw new Failure('Validation', operations.length > 0 ? onlyCreateGrant : 'Operations must not be empty.')
  }
  const unfit = operations.filter(operation => {
    const row = grantOperations[operation]
    return (row.usage ?? usage) !== usage || (row.type ?? keySpecs[spec].type) !== keySpecs[spec].type
  })
  if (unfit.length === 0) return
  const text = `Grants on a KMS key with key spec ${spec} and key usage ${usage} cannot include these operations: ${unfit.join(', ')}.`
  throw new Failure('Validation', text)
}

const onlyCreateGrant = 'Grants must not contain only the CreateGrant operation.'

/** KMS API Reference, "CreateGrant": of each constraint. */
const maximumPairs = 8
/** Characters. */
const maximumValue = 384

/** Throws Validation if a grant of the key cannot have the constraints. */
export function checkGrantConstraints({ spec }: Pick<Key, 'spec'>, constraints: GrantConstraints): void {
  const { EncryptionContextEquals, EncryptionContextSubset } = constraints
  for (const [name, context] of Object.entries({ EncryptionContextEquals, EncryptionContextSubset })) {
    if (context === undefined) continue
    if (keySpecs[spec].type !== 'symmetric') {
      throw new Failure('Validation', `${name} is not supported for KMS keys with key spec ${spec}.`)
    }
    const values = Object.values(context)
    if (name === 'EncryptionContextSubset' && values.length === 0) throw new Failure('Validation', constrainsNothing)
    if (values.length > maximumPairs) {
      throw new Failure('Validation', `${name} can have ${maximumPairs} encryption context pairs at most.`)
    }
    if (values.some(value => value.length > maximumValue)) {
      throw new Failure('Validation', `A value of ${name} can have ${maximumValue} characters at most.`)
    }
  }
}

/** It would satisfy policies that require a constraint, by the condition key kms:GrantConstraintType. */
const constrainsNothing = 'EncryptionContextSubset must have at least one encryption context pair.'

/**
 * Whether `wide` allows every encryption context and source that `narrow` allows. A request has the constraint that its encryption context equals what
 * it is. Keys and values are case-sensitive.
 */
export function isWithin(narrow: GrantConstraints = {}, wide: GrantConstraints = {}): boolean {
  const { EncryptionContextEquals: exact, EncryptionContextSubset: required, SourceArn } = wide
  if (SourceArn !== undefined && narrow.SourceArn !== SourceArn) return false
  const pairs = narrow.EncryptionContextEquals ?? narrow.EncryptionContextSubset ?? {}
  if (required && !includes(pairs, required)) return false
  if (!exact) return true
  if (!narrow.EncryptionContextEquals) return false
  return Object.keys(pairs).length === Object.keys(exact).length && includes(pairs, exact)
}

function includes(context: EncryptionContext, part: EncryptionContext): boolean {
  for (const key of Object.keys(part)) if (!Object.hasOwn(context, key) || context[key] !== part[key]) return false
  return true
}
