import type { MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import type { SupportedKeySpec } from './key-spec.ts'

/** A signing algorithm: KMS Developer Guide, "Key spec reference". */
export interface SigningAlgorithmRow {
  /**
   * PKCS1 and PSS: RFC 8017, sections 8.2 and 8.1, the salt as long as the digest. ECDSA: FIPS 186-5. Ed25519 and
   * Ed25519ph: RFC 8032, section 5.1. ML-DSA: FIPS 204, with an empty context. SM2: GM/T 0003.2.
   */
  readonly scheme: 'PKCS1' | 'PSS' | 'ECDSA' | 'Ed25519' | 'Ed25519ph' | 'ML-DSA' | 'SM2'
  /** Hash of a RAW message before it is signed, as named by node:crypto. Absent if the scheme hashes itself. */
  readonly hash?: 'sha256' | 'sha384' | 'sha512' | 'sm3'
  /** Bytes of a message by allowed type; for RAW the maximum. */
  readonly messages: Readonly<Partial<Record<MessageType, number>>>
}

/** MessageType of the API, in bytes: KMS API Reference, "Sign". */
export const longestMessage = 4096

const RAW = longestMessage

// biome-ignore format: a table
export const signingAlgorithms: Readonly<Record<SigningAlgorithmSpec, SigningAlgorithmRow>> = {
  RSASSA_PKCS1_V1_5_SHA_256: { scheme: 'PKCS1', hash: 'sha256', messages: { RAW, DIGEST: 32 } },
  RSASSA_PKCS1_V1_5_SHA_384: { scheme: 'PKCS1', hash: 'sha384', messages: { RAW, DIGEST: 48 } },
  RSASSA_PKCS1_V1_5_SHA_512: { scheme: 'PKCS1', hash: 'sha512', messages: { RAW, DIGEST: 64 } },
  RSASSA_PSS_SHA_256:        { scheme: 'PSS',   hash: 'sha256', messages: { RAW, DIGEST: 32 } },
  RSASSA_PSS_SHA_384:        { scheme: 'PSS',   hash: 'sha384', messages: { RAW, DIGEST: 48 } },
  RSASSA_PSS_SHA_512:        { scheme: 'PSS',   hash: 'sha512', messages: { RAW, DIGEST: 64 } },
  ECDSA_SHA_256:             { scheme: 'ECDSA', hash: 'sha256', messages: { RAW, DIGEST: 32 } },
  ECDSA_SHA_384:             { scheme: 'ECDSA', hash: 'sha384', messages: { RAW, DIGEST: 48 } },
  ECDSA_SHA_512:             { scheme: 'ECDSA', hash: 'sha512', messages: { RAW, DIGEST: 64 } },
  SM2DSA:                    { scheme: 'SM2',   hash: 'sm3',    messages: { RAW, DIGEST: 32 } },
  ED25519_SHA_512:           { scheme: 'Ed25519',               messages: { RAW } },
  // The digest is the message that Ed25519ph hashes: KMS API Reference, "Sign", MessageType.
  ED25519_PH_SHA_512:        { scheme: 'Ed25519ph',             messages: { DIGEST: 64 } },
  ML_DSA_SHAKE_256:          { scheme: 'ML-DSA',                messages: { RAW, EXTERNAL_MU: 64 } },
}

/** Throws Validation for a message that the algorithm does not accept. @param length bytes */
export function checkMessage(
  spec: SupportedKeySpec,
  algorithm: SigningAlgorithmSpec,
  type: MessageType,
  length: number,
): void {
  const { scheme, messages } = signingAlgorithms[algorithm]
  const expected = messages[type]
  if (expected === undefined) {
    const what = scheme === 'ML-DSA' ? `key spec ${spec}` : `algorithm ${algorithm}`
    throw new Failure('Validation', `Message type ${type} is incompatible with ${what}.`)
  }
  if (type === 'RAW' || length === expected) return
  throw new Failure('Validation', `Digest is invalid length for algorithm ${algorithm}.`)
}
