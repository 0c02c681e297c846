import type { KeyUsageType, MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { type Algorithm, algorithmsOf, keySpecs, type SupportedKeySpec } from './key-spec.ts'

/** What an HSM can or cannot do, in the words of KMS: keys of a spec, an algorithm, a type of message, or data key pairs. */
export type Ability = SupportedKeySpec | Algorithm | 'EXTERNAL_MU' | 'GenerateDataKeyPair'

/** What an HSM cannot do, each with the reason. */
export type Lacks = Readonly<Partial<Record<Ability, string>>>

/** Why an HSM cannot do something; undefined where nothing is known against it. */
export type WhyNot = (ability: Ability) => string | undefined

const noMechanisms = 'PKCS#11 has no mechanisms for it'

/** What no HSM can do, or none can be asked to do. */
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

/** Of an HSM that nothing is known about. */
export const whyNotAnywhere: WhyNot = ability => everywhere[ability]

/** Throws UnsupportedOperation when one of them is not there. */
export function checkAbilities(whyNot: WhyNot, abilities: readonly Ability[]): void {
  for (const ability of abilities) {
    const reason = whyNot(ability)
    if (reason !== undefined) throw unsupported(titleOf(ability), reason, everywhere[ability] !== undefined)
  }
}

/** Throws UnsupportedOperation when there can be no keys of a spec, or none that do what the usage says. */
export function checkKeyKind(whyNot: WhyNot, spec: SupportedKeySpec, usage: KeyUsageType): void {
  for (const known of [whyNotAnywhere, whyNot]) {
    checkAbilities(known, [spec])
    const reasons = algorithmsOf(spec, usage).map(known)
    if (reasons.every(reason => reason !== undefined)) {
      throw unsupported(`Key usage ${usage} of key spec ${spec}`, reasons[0]!, known === whyNotAnywhere)
    }
  }
}

/** What signing and verifying take. */
export function signingAbilities(algorithm: SigningAlgorithmSpec, type: MessageType): readonly Ability[] {
  return type === 'EXTERNAL_MU' ? [algorithm, type] : [algorithm]
}

function titleOf(ability: Ability): string {
  if (ability === 'GenerateDataKeyPair') return 'GenerateDataKeyPair'
  if (ability === 'EXTERNAL_MU') return 'Message type EXTERNAL_MU'
  // SYMMETRIC_DEFAULT is both: what has to be there is the algorithm.
  const isSpec = Object.hasOwn(keySpecs, ability) && ability !== 'SYMMETRIC_DEFAULT'
  return `${isSpec ? 'Key spec' : 'Algorithm'} ${ability}`
}

function unsupported(what: string, reason: string, anywhere: boolean): Failure {
  const text = `${what} is not supported${anywhere ? '' : ' by this HSM'}: ${reason}.`
  return new Failure('UnsupportedOperation', text)
}
