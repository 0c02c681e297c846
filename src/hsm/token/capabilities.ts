/** What a token supports: according to its profile, its mechanism list and the probe. */
import type { EncryptionAlgorithmSpec, KeyUsageType } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import { checkAbilities, checkKeyKind, importAbilitiesOf, type Lacks, lacksOfAll } from '../../model/keys/ability.ts'
import { keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { type SigningAlgorithmRow, signingAlgorithms } from '../../model/keys/signing-algorithm.ts'
import { transferAlgorithms, type WrappingAlgorithm, wrappingAlgorithms } from '../../model/keys/wrapping-algorithm.ts'
import type { KeyType, Profile } from '../profiles/profile.ts'
import { oaepHash } from '../public-key-crypto.ts'
import type { Capabilities, Gcm } from '../wire/capabilities.ts'
import {
  ecdh,
  ecdsa,
  eddsa,
  isPair,
  type KeyMechanism,
  keyMechanisms,
  macs,
  mlDsaSignature,
  rsaPkcs1,
} from './mechanisms.ts'

/** How to generate keys of a spec. Throws UnsupportedOperation if the token does not support the spec in this usage. */
export function keyMechanism({ lacks }: Capabilities, spec: SupportedKeySpec, usage: KeyUsageType): KeyMechanism {
  checkKeyKind(ability => lacks[ability], spec, usage)
  return keyMechanisms[spec]!
}

/** The same for data key pairs. */
export function dataKeyPairMechanism({ lacks }: Capabilities, spec: SupportedKeySpec): KeyMechanism {
  checkAbilities(ability => lacks[ability], ['GenerateDataKeyPair', spec])
  return keyMechanisms[spec]!
}

/** Throws UnsupportedOperation. */
export function gcmOf({ gcm, lacks }: Capabilities): Gcm {
  if (gcm === undefined) checkAbilities(ability => lacks[ability], ['SYMMETRIC_DEFAULT'])
  return gcm!
}

/**
 * What is unsupported according to a profile and the token's list of mechanisms.
 *
 * @param permissions see the configuration
 */
export function lacksOf(
  profile: Profile,
  mechanisms: ReadonlySet<number>,
  { allowSoftwareFallback, bridges }: Permissions = everything,
): Lacks {
  const { lacks, oaepHashes } = profile
  const missing = Object.entries(needs(oaepHashes)).filter(([, mechanism]) => !mechanisms.has(mechanism))
  const absent = ([ability, mechanism]: [string, number]) => [ability, absence(ability, mechanism)]
  const forbidden = allowSoftwareFallback ? [] : oaepAlgorithms.filter(name => !oaepHashes.includes(oaepHash(name)))
  return {
    ...Object.fromEntries(missing.map(absent)),
    ...Object.fromEntries(
      forbidden.map(name => [name, 'it does not support the padding, and allowSoftwareFallback is false']),
    ),
    ...(bridges ? {} : unwrappedByNobody(profile, mechanisms)),
    ...untransferable(profile, mechanisms),
    ...lacks,
    ...lacksOfAll,
  }
}

/** What a worker may do in place of the token, from the configuration. */
export interface Permissions {
  /** Remove OAEP padding: it sees plaintexts. */
  readonly allowSoftwareFallback: boolean
  /** Unwrap key material: it sees keys. */
  readonly bridges: boolean
}

const everything: Permissions = { allowSoftwareFallback: true, bridges: true }

function unwrappedByNobody(profile: Profile, mechanisms: ReadonlySet<number>): Lacks {
  const abilities = (Object.keys(keyMechanisms) as SupportedKeySpec[]).flatMap(spec =>
    [...importAbilitiesOf(spec)].filter(([algorithm]) => !unwraps(profile, mechanisms, spec, algorithm)),
  )
  return Object.fromEntries(
    abilities.map(([, ability]) => [ability, 'it cannot unwrap it, and the configuration does not allow a worker to']),
  )
}

function untransferable(profile: Profile, mechanisms: ReadonlySet<number>): Lacks {
  const lacking = transferAlgorithms.filter(name => !unwraps(profile, mechanisms, 'SYMMETRIC_DEFAULT', name))
  return Object.fromEntries(lacking.map(name => [`Transfer under ${name}`, `it wraps no secret keys under ${name}`]))
}

/** Whether the token itself unwraps key material of a spec. What it does not, a worker may bridge: see Custody. */
export function unwraps(
  profile: Profile,
  mechanisms: ReadonlySet<number>,
  spec: SupportedKeySpec,
  algorithm: WrappingAlgorithm,
): boolean {
  const { oaepHashes, oaepUnwraps, keyWrapUnwraps } = profile
  const { hash, usesKeyWrap } = wrappingAlgorithms[algorithm]
  if (!oaepHashes.includes(hash) || !mechanisms.has(pkcs11js.CKM_RSA_PKCS_OAEP)) return false
  if (!usesKeyWrap) return oaepUnwraps.includes(keyTypeOf(spec))
  return keyWrapUnwraps.includes(keyTypeOf(spec)) && keyWrapsWithPadding(profile, mechanisms).length > 0
}

/** CKM_* of AES key wrap with padding (RFC 5649), the preferred one first. */
export function keyWrapsWithPadding(
  { keyWrapMechanisms }: Profile,
  mechanisms: ReadonlySet<number>,
): readonly number[] {
  return keyWrapMechanisms.filter(mechanism => mechanisms.has(mechanism) && mechanism !== pkcs11js.CKM_AES_CBC_PAD)
}

function keyTypeOf(spec: SupportedKeySpec): KeyType {
  const mechanism = keyMechanisms[spec]!
  if (!isPair(mechanism)) return 'secret'
  if (mechanism.curve === undefined) return 'RSA'
  return mechanism.curve.form === 'Edwards' ? 'Ed25519' : 'EC'
}

function absence(ability: string, mechanism: number): string {
  return ability in keySpecs
    ? 'the HSM has no mechanism to generate such keys'
    : `the HSM has no mechanism 0x${mechanism.toString(16)}`
}

const oaepAlgorithms = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const

/** The CKM_* that each ability needs. AES-GCM is not listed, as its mechanism differs: the probe tries it. */
function needs(oaepHashes: Profile['oaepHashes']): Readonly<Record<string, number>> {
  const oaep = (algorithm: EncryptionAlgorithmSpec) =>
    oaepHashes.includes(oaepHash(algorithm)) ? pkcs11js.CKM_RSA_PKCS_OAEP : pkcs11js.CKM_RSA_X_509
  return {
    ...Object.fromEntries(Object.entries(keyMechanisms).map(([spec, { generation }]) => [spec, generation])),
    ...Object.fromEntries(oaepAlgorithms.map(algorithm => [algorithm, oaep(algorithm)])),
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
