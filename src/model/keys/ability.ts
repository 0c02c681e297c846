import type { KeyUsageType, MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { type Algorithm, algorithmsOf, keySpecs, type SupportedKeySpec } from './key-spec.ts'
import { type TransferAlgorithm, type WrappingAlgorithm, wrappingAlgorithmsOf } from './wrapping-algorithm.ts'

/** A capability of an HSM, in the terms of KMS: a key spec, an algorithm, a message type, data key pairs, an import, or a transfer. */
export type Ability =
  | SupportedKeySpec
  | Algorithm
  | 'EXTERNAL_MU'
  | 'GenerateDataKeyPair'
  | ImportAbility
  | TransferAbility

/** The import of key material of a key spec, wrapped with an algorithm. */
export type ImportAbility = `${SupportedKeySpec} under ${WrappingAlgorithm}`

/**
 * The transfer of a multi-Region key to another HSM. `WrapWithTrusted`: the HSM lets no key that is not trusted wrap one with
 * CKA_WRAP_WITH_TRUSTED.
 */
export type TransferAbility = 'WrapWithTrusted' | `Transfer under ${TransferAlgorithm}`

export function importAbility(spec: SupportedKeySpec, algorithm: WrappingAlgorithm): ImportAbility {
  return `${spec} under ${algorithm}`
}

/** Every import that KMS knows. */
export function importAbilitiesOf(spec: SupportedKeySpec): ReadonlyMap<WrappingAlgorithm, ImportAbility> {
  return new Map(wrappingAlgorithmsOf(spec).map(algorithm => [algorithm, importAbility(spec, algorithm)]))
}

/** What an HSM does not support, each with the reason. */
export type Lacks = Readonly<Partial<Record<Ability, string>>>

/** Why an HSM does not support something; undefined if it may. */
export type WhyUnsupported = (ability: Ability) => string | undefined

const noMechanisms = 'PKCS#11 has no mechanisms for it'

/** What no HSM supports, or the gateway cannot use. */
export const lacksOfAll = {
  SM2: noMechanisms,
  SM2PKE: noMechanisms,
  SM2DSA: noMechanisms,
  ED25519_PH_SHA_512: 'HSMs accept its parameters but generate plain Ed25519 signatures',
  // CKM_ML_DSA_EXTERNAL_MU is in the drafts of v3.3.
  EXTERNAL_MU: 'PKCS#11 v3.2 has no mechanism for it',
  ML_KEM: 'pkcs11js has no C_EncapsulateKey and C_DecapsulateKey (PKCS#11 v3.2)',
} as const satisfies Lacks

const everywhere: Lacks = lacksOfAll

/** For an unknown HSM. */
export const whyUnsupportedAnywhere: WhyUnsupported = ability => everywhere[ability]

/** Throws UnsupportedOperation if one of them is not supported. */
export function checkAbilities(whyUnsupported: WhyUnsupported, abilities: readonly Ability[]): void {
  for (const ability of abilities) {
    const reason = whyUnsupported(ability)
    if (reason !== undefined) throw unsupported(titleOf(ability), reason, everywhere[ability] !== undefined)
  }
}

/** Throws UnsupportedOperation if keys of a spec, or of that usage, are not supported. */
export function checkKeyKind(whyUnsupported: WhyUnsupported, spec: SupportedKeySpec, usage: KeyUsageType): void {
  for (const known of [whyUnsupportedAnywhere, whyUnsupported]) {
    checkAbilities(known, [spec])
    const reasons = algorithmsOf(spec, usage).map(known)
    if (reasons.every(reason => reason !== undefined)) {
      throw unsupported(`Key usage ${usage} of key spec ${spec}`, reasons[0]!, known === whyUnsupportedAnywhere)
    }
  }
}

/** What signing and verifying need. */
export function signingAbilities(algorithm: SigningAlgorithmSpec, type: MessageType): readonly Ability[] {
  return type === 'EXTERNAL_MU' ? [algorithm, type] : [algorithm]
}

function titleOf(ability: Ability): string {
  if (ability === 'GenerateDataKeyPair') return 'GenerateDataKeyPair'
  if (ability === 'EXTERNAL_MU') return 'Message type EXTERNAL_MU'
  if (ability === 'WrapWithTrusted' || ability.startsWith('Transfer ')) return 'Transfer to another HSM'
  if (ability.includes(' under ')) return `Import of key material of key spec ${ability}`
  // SYMMETRIC_DEFAULT is both: the algorithm must be supported.
  const isSpec = Object.hasOwn(keySpecs, ability) && ability !== 'SYMMETRIC_DEFAULT'
  return `${isSpec ? 'Key spec' : 'Algorithm'} ${ability}`
}

function unsupported(what: string, reason: string, anywhere: boolean): Failure {
  const text = `${what} is not supported${anywhere ? '' : ' by this HSM'}: ${reason}.`
  return new Failure('UnsupportedOperation', text)
}
