/** What the token in a slot can do: its profile is the starting point, the probe has the last word. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import { Failure } from '../../errors.ts'
import { keySpecs, type SupportedKeySpec } from '../../model/key-spec.ts'
import { type SigningAlgorithmRow, signingAlgorithms } from '../../model/signing-algorithm.ts'
import type { Ability, Profile } from '../profiles/profile.ts'
import type { Gcm } from './gcm.ts'
import { ecdh, ecdsa, eddsa, type KeyMechanism, keyMechanisms, macs, mlDsaSignature, rsaPkcs1 } from './mechanisms.ts'

/** JSON: the worker tells the gateway. */
export interface Capabilities {
  /** Absent where the token has no AES-GCM that works. */
  readonly gcm?: Gcm
  /** What it cannot do, each with the reason. */
  readonly lacks: Lacks
  /** Absent where there was no key to measure with. */
  readonly latency?: Latency
}

export type Lacks = Readonly<Partial<Record<Ability, string>>>

/** Medians in milliseconds of the two calls that an operation takes. */
export interface Latency {
  /** C_EncryptInit or C_SignInit. */
  readonly init: number
  /** C_Encrypt or C_Sign. */
  readonly operation: number
}

/** How keys of a spec are made. Throws UnsupportedOperationException when the token cannot make them, or not use them so. */
export function keyMechanism({ lacks }: Capabilities, spec: SupportedKeySpec, usage: KeyUsageType): KeyMechanism {
  const key = keyMechanisms[spec]
  const reason = lacks[spec]
  if (key === undefined || reason !== undefined) {
    throw new Failure('UnsupportedOperationException', `Key spec ${spec} is not supported by this HSM: ${reason}.`)
  }
  const missing = algorithmsOf(spec, usage).map(algorithm => lacks[algorithm])
  if (missing.every(reason => reason !== undefined)) {
    const text = `Key usage ${usage} of key spec ${spec} is not supported by this HSM: ${missing[0]}.`
    throw new Failure('UnsupportedOperationException', text)
  }
  return key
}

/** The same, for pairs whose private key is read out. */
export function dataKeyPairMechanism(capabilities: Capabilities, spec: SupportedKeySpec): KeyMechanism {
  const reason = capabilities.lacks.GenerateDataKeyPair
  if (reason === undefined) return keyMechanism(capabilities, spec, 'SIGN_VERIFY')
  throw new Failure('UnsupportedOperationException', `Data key pairs are not supported by this HSM: ${reason}.`)
}

/** Throws UnsupportedOperationException. */
export function gcmOf({ gcm, lacks }: Capabilities): Gcm {
  if (gcm !== undefined) return gcm
  const text = `Algorithm SYMMETRIC_DEFAULT is not supported by this HSM: ${lacks.SYMMETRIC_DEFAULT}.`
  throw new Failure('UnsupportedOperationException', text)
}

export function algorithmsOf(spec: SupportedKeySpec, usage: KeyUsageType): readonly Ability[] {
  const row = keySpecs[spec]
  const lists: Readonly<Partial<Record<KeyUsageType, readonly Ability[]>>> = {
    ENCRYPT_DECRYPT: row.encryptionAlgorithms,
    SIGN_VERIFY: row.signingAlgorithms,
    GENERATE_VERIFY_MAC: row.macAlgorithms,
    KEY_AGREEMENT: row.keyAgreementAlgorithms,
  }
  return lists[usage]!
}

/** What no token can do, or none can be asked. */
export const lacksOfAll: Lacks = {
  SM2: 'PKCS#11 has no mechanisms for it',
  SM2PKE: 'PKCS#11 has no mechanisms for it',
  SM2DSA: 'PKCS#11 has no mechanisms for it',
  ED25519_PH_SHA_512: 'tokens take its parameters and make a plain Ed25519 signature',
}

/** What a profile and the token's list of mechanisms leave out. */
export function lacksOf({ lacks, oaepHashes }: Profile, mechanisms: ReadonlySet<number>): Lacks {
  const missing = Object.entries(needs(oaepHashes)).filter(([, mechanism]) => !mechanisms.has(mechanism))
  const absent = ([ability, mechanism]: [string, number]) => [ability, absence(ability, mechanism)]
  return { ...Object.fromEntries(missing.map(absent)), ...lacks, ...lacksOfAll }
}

function absence(ability: string, mechanism: number): string {
  return ability in keySpecs
    ? 'it has no mechanism that makes such keys'
    : `it has no mechanism 0x${mechanism.toString(16)}`
}

/** The CKM_* that each ability stands on. AES-GCM is tried, not looked up: its mechanism differs. */
function needs(oaepHashes: Profile['oaepHashes']): Readonly<Record<string, number>> {
  const oaep = (hash: 'sha1' | 'sha256') =>
    oaepHashes.includes(hash) ? pkcs11js.CKM_RSA_PKCS_OAEP : pkcs11js.CKM_RSA_X_509
  return {
    ...Object.fromEntries(Object.entries(keyMechanisms).map(([spec, { generation }]) => [spec, generation])),
    RSAES_OAEP_SHA_1: oaep('sha1'),
    RSAES_OAEP_SHA_256: oaep('sha256'),
    ...Object.fromEntries(
      Object.entries(signingAlgorithms).flatMap(([name, { scheme }]) => {
        const mechanism = schemeMechanisms[scheme]
        return mechanism === undefined ? [] : [[name, mechanism]]
      }),
    ),
    ...Object.fromEntries(Object.entries(macs).map(([name, { mechanism }]) => [name, mechanism.mechanism])),
    ECDH: ecdh(Buffer.alloc(0)).mechanism,
  }
}

const schemeMechanisms: Readonly<Partial<Record<SigningAlgorithmRow['scheme'], number>>> = {
  PKCS1: rsaPkcs1.mechanism,
  PSS: pkcs11js.CKM_RSA_PKCS_PSS,
  ECDSA: ecdsa.mechanism,
  Ed25519: eddsa.mechanism,
  'ML-DSA': mlDsaSignature.mechanism,
}
