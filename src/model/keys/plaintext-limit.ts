import type { EncryptionAlgorithmSpec } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import type { SupportedKeySpec } from './key-spec.ts'

/** Maximum bytes of a plaintext, if less than the 4096 of the API: RFC 8017, section 7.1.1; for SM2 the KMS guide. */
const limits: Readonly<Partial<Record<SupportedKeySpec, Readonly<Partial<Record<EncryptionAlgorithmSpec, number>>>>>> =
  {
    RSA_2048: { RSAES_OAEP_SHA_1: 214, RSAES_OAEP_SHA_256: 190 },
    RSA_3072: { RSAES_OAEP_SHA_1: 342, RSAES_OAEP_SHA_256: 318 },
    RSA_4096: { RSAES_OAEP_SHA_1: 470, RSAES_OAEP_SHA_256: 446 },
    SM2: { SM2PKE: 1024 },
  }

/** Bytes; at most the 4096 of the API. */
export function longestPlaintext(spec: SupportedKeySpec, algorithm: EncryptionAlgorithmSpec): number {
  return limits[spec]?.[algorithm] ?? 4096
}

/** Throws Validation for a plaintext that is too long. @param length bytes */
export function checkPlaintextLength(spec: SupportedKeySpec, algorithm: EncryptionAlgorithmSpec, length: number): void {
  const limit = longestPlaintext(spec, algorithm)
  if (length <= limit) return
  throw new Failure(
    'Validation',
    `Algorithm ${algorithm} and key spec ${spec} cannot encrypt data larger than ${limit} bytes.`,
  )
}
