/** What a survey finds out: JSON, which the inspector process reports. Loads no native code. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import type { Ability, Lacks } from '../../model/keys/ability.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { ImportMethod, KeyType, Profile } from '../profiles/profile.ts'
import type { Capabilities } from '../wire/capabilities.ts'

/** Sessions that a survey opens at most. */
export const mostSessions = 128

/** One key spec in one usage. */
export interface Trial {
  readonly spec: SupportedKeySpec
  readonly usage: KeyUsageType
  /** Those that work. */
  readonly works: readonly Ability[]
  /** Those that do not, each with the reason. */
  readonly fails: Lacks
  /** Milliseconds of one operation. */
  readonly latency?: Percentiles
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
}

/** Asynchronous calls at a time, of a measurement: as many as libuv's pool has threads. */
export const concurrentCalls = 4

/** Milliseconds of the two calls that an operation takes. */
export interface Latency {
  /** C_EncryptInit or C_SignInit. */
  readonly init: number
  /** C_Encrypt or C_Sign. */
  readonly operation: number
  /** How much faster `concurrentCalls` asynchronous calls of `operation` are than one after another: at most `concurrentCalls`. */
  readonly speedUp: number
}

/** Flags of the profile, and a setting of the configuration, that follow from the latency. */
export interface Recommendation extends Pick<Profile, 'mode' | 'initIsRoundTrip'> {
  readonly workers: number
}

/** Wrapping algorithms of KMS, whatever their hash. */
export const wrappingFamilies = ['RSAES_OAEP', 'RSA_AES_KEY_WRAP'] as const
export type WrappingFamily = (typeof wrappingFamilies)[number]

/** The import of a key. */
export interface ImportTrial {
  readonly spec: SupportedKeySpec
  readonly type: KeyType
  /** With which wrapping algorithms of KMS the token unwraps it alone; absent if that could not be tried. */
  readonly unwraps?: readonly WrappingFamily[]
  /** The first that works, with the CKM_* that unwraps; absent if none does. */
  readonly way?: { readonly method: ImportMethod; readonly unwrapping?: number }
}

export interface Survey extends Capabilities {
  readonly trials: readonly Trial[]
  readonly imports: readonly ImportTrial[]
  /** Hashes of RSAES-OAEP that the token supports. For others the worker removes the padding. */
  readonly oaepHashes: Profile['oaepHashes']
  readonly supportsCkaModifiable: boolean
  readonly supportsCkaCopyable: boolean
  readonly supportsCkaSignRecover: boolean
  readonly reportsCkaLocal: boolean
  /** Why the token does not keep keys with CKA_WRAP_WITH_TRUSTED from being wrapped by any key; absent if it does. */
  readonly noWrapWithTrusted?: string | undefined
  /** Return codes of C_Decrypt for an invalid ciphertext, other than those of the standard. */
  readonly invalidCiphertextCodes: readonly string[]
  /** Return codes of C_Verify for the signature of another message, other than those of the standard. */
  readonly invalidSignatureCodes: readonly string[]
  /** The token decrypts a ciphertext with a wrong tag. */
  readonly forgeable: boolean
  /** Bytes of the longest AAD that works, of those tried. */
  readonly longestAad: number
  /** Open at the same time; at most `mostSessions` are tried. */
  readonly sessions: number
  /** Absent if there was no key to measure with. */
  readonly latency?: Latency | undefined
  readonly recommendation?: Recommendation | undefined
}
