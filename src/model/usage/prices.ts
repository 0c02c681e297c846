/** What calls cost, by the kinds of AWS's price list. */
import { keySpecs, type SupportedKeySpec } from '../keys/key-spec.ts'

/** AWS KMS pricing, "Key usage". */
export type RequestKind = 'standard' | 'rsa2048' | 'asymmetric' | 'eccKeyPair' | 'rsaKeyPair'

/** Of the configuration. */
export interface Prices {
  /** ISO 4217. */
  readonly currency: string
  /** Of 10,000 requests. */
  readonly requests: Readonly<Record<RequestKind, number>>
  /** Standard requests that an account has free in a calendar month. */
  readonly freeRequests: number
  /** Whether requests that failed cost as much as others; else they are free. */
  readonly failedRequests: boolean
  /** Of a KMS key, by the hour. */
  readonly keyMonth: number
  /** Rotations of a key that each cost another `keyMonth` from then on; later ones are free. */
  readonly chargedRotations: number
}

/** What AWS's page has as requests that reference asymmetric keys; others cost the same for every key. */
const withKey = new Set([
  'Encrypt',
  'Decrypt',
  'ReEncrypt',
  'Sign',
  'Verify',
  'DeriveSharedSecret',
  'Encapsulate',
  'Decapsulate',
  'GetPublicKey',
])

/**
 * @param operation its wire name
 * @param pairSpec key spec of the data key pair, if it generates one
 * @param spec of the KMS key; undefined if that is not known, or there is none
 */
export function requestKind(operation: string, pairSpec: string, spec: string | undefined): RequestKind {
  if (pairSpec !== '') return pairSpec.startsWith('RSA_') ? 'rsaKeyPair' : 'eccKeyPair'
  if (spec === undefined || !withKey.has(operation)) return 'standard'
  if (spec === 'RSA_2048') return 'rsa2048'
  return keySpecs[spec as SupportedKeySpec]?.type === 'asymmetric' ? 'asymmetric' : 'standard'
}
