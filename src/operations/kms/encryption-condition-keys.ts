import type { EncryptionAlgorithmSpec } from '@aws-sdk/client-kms'
import { type ConditionKeys, memberOf } from '../../model/condition-keys.ts'
import type { EncryptionContext } from '../../model/keys/encryption-context.ts'

/** Condition keys of operations that encrypt or decrypt: KMS Developer Guide, "AWS KMS condition keys". */

interface Encryption {
  /** Default: that of symmetric keys. */
  readonly EncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
  readonly EncryptionContext?: EncryptionContext | undefined
}

/** @param of what a request does with the key of a permission */
export function encryptionConditions<S>(of: (asked: S) => Encryption): ConditionKeys<S> {
  return {
    ...contextConditions(asked => of(asked).EncryptionContext),
    'kms:EncryptionAlgorithm': asked => of(asked).EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT',
  }
}

export const encryptionConditionKeys = encryptionConditions(({ input }: { readonly input: Encryption }) => input)

export function contextConditions<S>(contextOf: (asked: S) => EncryptionContext | undefined): ConditionKeys<S> {
  return {
    'kms:EncryptionContext:': (asked, contextKey) => memberOf(contextOf(asked), Object.entries, contextKey),
    'kms:EncryptionContextKeys': asked => Object.keys(contextOf(asked) ?? {}),
  }
}
