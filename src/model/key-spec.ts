import type { EncryptionAlgorithmSpec, KeySpec, KeyUsageType } from '@aws-sdk/client-kms'

/** What is true of one key spec: KMS Developer Guide, "Key spec reference". */
export interface KeySpecRow {
  readonly usages: readonly KeyUsageType[]
  readonly encryptionAlgorithms: readonly EncryptionAlgorithmSpec[]
}

/** Every key spec this gateway can create, one row each. */
export const keySpecs = {
  SYMMETRIC_DEFAULT: {
    usages: ['ENCRYPT_DECRYPT'],
    encryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
  },
} as const satisfies Partial<Record<KeySpec, KeySpecRow>>

export type SupportedKeySpec = keyof typeof keySpecs
