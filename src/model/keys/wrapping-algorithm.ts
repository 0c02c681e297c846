import type { AlgorithmSpec, WrappingKeySpec as AnyWrappingKeySpec } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { keySpecs, type SupportedKeySpec } from './key-spec.ts'

/** RSA key pairs under which callers wrap key material. */
export type WrappingKeySpec = Extract<SupportedKeySpec, `RSA_${number}`>
/** RSAES_PKCS1_V1_5 is no longer supported by KMS, SM2PKE by no HSM. */
export type WrappingAlgorithm = Exclude<AlgorithmSpec, 'RSAES_PKCS1_V1_5' | 'SM2PKE'>

export interface WrappingAlgorithmRow {
  /** Of RSAES-OAEP and MGF1 (RFC 8017, section 7.1), with the empty label. */
  readonly hash: 'sha1' | 'sha256'
  /**
   * An AES-256 key is what RSAES-OAEP encrypts, and wraps the key material (AES key wrap with padding, RFC 5649), which follows. Otherwise
   * RSAES-OAEP encrypts the key material itself.
   */
  readonly usesKeyWrap: boolean
}

/** KMS Developer Guide, "Select a wrapping algorithm". */
export const wrappingAlgorithms: Readonly<Record<WrappingAlgorithm, WrappingAlgorithmRow>> = {
  RSAES_OAEP_SHA_1: { hash: 'sha1', usesKeyWrap: false },
  RSAES_OAEP_SHA_256: { hash: 'sha256', usesKeyWrap: false },
  RSA_AES_KEY_WRAP_SHA_1: { hash: 'sha1', usesKeyWrap: true },
  RSA_AES_KEY_WRAP_SHA_256: { hash: 'sha256', usesKeyWrap: true },
}

/** How one HSM wraps secret keys for another, the preferred one first. */
export const transferAlgorithms = [
  'RSAES_OAEP_SHA_256',
  'RSAES_OAEP_SHA_1',
] as const satisfies readonly WrappingAlgorithm[]
export type TransferAlgorithm = (typeof transferAlgorithms)[number]

/**
 * Whether keys of a spec can be transferred. RSAES-OAEP wraps secret keys; CKM_RSA_AES_KEY_WRAP (PKCS#11 v2.40, section 2.1.21) wraps private
 * keys as well, but pkcs11js cannot express its parameters, which contain a pointer.
 */
export function isTransferable(spec: SupportedKeySpec): boolean {
  return keySpecs[spec].type !== 'asymmetric'
}

/** By the same page: which algorithms wrap key material of a spec. */
export function wrappingAlgorithmsOf(spec: SupportedKeySpec): readonly WrappingAlgorithm[] {
  const isPair = keySpecs[spec].type === 'asymmetric'
  const isRsa = spec.startsWith('RSA_')
  return (Object.keys(wrappingAlgorithms) as WrappingAlgorithm[]).filter(name =>
    wrappingAlgorithms[name].usesKeyWrap ? isPair : !isRsa,
  )
}

/** Throws UnsupportedOperation for key specs whose material cannot be imported: KMS Developer Guide, "Importing key material". */
export function checkImportable(spec: SupportedKeySpec): void {
  if (!spec.startsWith('ML_')) return
  throw new Failure('UnsupportedOperation', `Key material of key spec ${spec} cannot be imported.`)
}

/** Throws UnsupportedOperation unless key material of the spec can be wrapped so. */
export function checkWrapping(
  spec: SupportedKeySpec,
  algorithm: AlgorithmSpec,
  wrappingSpec: AnyWrappingKeySpec,
): { readonly algorithm: WrappingAlgorithm; readonly wrappingSpec: WrappingKeySpec } {
  const known = wrappingAlgorithmsOf(spec).find(other => other === algorithm)
  // The key is longer than a block of RSA.
  const isTooLong =
    spec === 'ECC_NIST_P521' && wrappingSpec === 'RSA_2048' && !!known && !wrappingAlgorithms[known].usesKeyWrap
  if (known && wrappingSpec !== 'SM2' && !isTooLong) return { algorithm: known, wrappingSpec }
  const text = `The wrapping algorithm ${algorithm} with the wrapping key spec ${wrappingSpec} is not supported for key material of key spec ${spec}.`
  throw new Failure('UnsupportedOperation', text)
}
