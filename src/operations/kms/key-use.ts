import type {
  DataKeyPairSpec,
  DataKeySpec,
  EncryptionAlgorithmSpec,
  KeyAgreementAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { type Ability, signingAbilities } from '../../model/keys/ability.ts'
import type { EncryptionContext } from '../../model/keys/encryption-context.ts'
import type { Key } from '../../model/keys/key.ts'
import { keySpecs } from '../../model/keys/key-spec.ts'
import { checkPeerKey } from '../../model/keys/peer-key.ts'
import { checkPlaintextLength } from '../../model/keys/plaintext-limit.ts'
import { checkMessage } from '../../model/keys/signing-algorithm.ts'
import type { TargetKind } from '../operation.ts'
import { type KeyInput, type KeyTarget, keyTarget } from './targets.ts'

/** Targets of cryptographic operations: a key by any of its four identifiers, from any account, and what must fit the key. */

export const use = { state: 'use', isUse: true, byAlias: true, crossAccount: true } as const

interface Uses<I> {
  /** What the HSM of the key must support. */
  readonly abilities: (input: I) => readonly Ability[]
  /** As in KeyNeeds. */
  readonly fits: (key: Key, input: I) => void
  /** As in KeyNeeds. */
  readonly fitsAny?: (input: I) => void
  /** As in KeyNeeds. */
  readonly notInStores?: boolean
}

interface UseInput extends KeyInput {
  /** Only of operations with symmetric keys. */
  readonly EncryptionContext?: EncryptionContext | undefined
}

function keyForUse<I>(
  usage: KeyUsageType,
  { abilities, fits, fitsAny, notInStores = false }: Uses<I>,
): TargetKind<UseInput & I, KeyTarget> {
  return {
    find(input, search) {
      const needs = {
        ...use,
        usage,
        notInStores,
        fits: (key: Key) => fits(key, input),
        fitsAny: () => fitsAny?.(input),
        encryptionContext: input.EncryptionContext,
        abilities: abilities(input),
      }
      return keyTarget(input.KeyId!, needs, search)
    },
  }
}

interface Encryption {
  readonly Plaintext: Uint8Array
  readonly EncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
  readonly EncryptionContext?: EncryptionContext | undefined
}

export const encryptionKey = keyForUse<Encryption>('ENCRYPT_DECRYPT', {
  abilities: ({ EncryptionAlgorithm }) => [EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'],
  fits(key, input) {
    const algorithm = input.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    checkEncryption(key, algorithm, input.EncryptionContext)
    checkPlaintextLength(key.spec, algorithm, input.Plaintext.length)
  },
})

interface DataKey {
  readonly KeySpec?: DataKeySpec | undefined
  readonly NumberOfBytes?: number | undefined
}

export const dataKeyEncryptionKey = keyForUse<DataKey>('ENCRYPT_DECRYPT', {
  abilities: () => ['SYMMETRIC_DEFAULT'],
  fits: checkSymmetric,
  fitsAny({ KeySpec, NumberOfBytes }) {
    if ((KeySpec === undefined) !== (NumberOfBytes === undefined)) return
    throw new Failure('Validation', 'Please specify either number of bytes or key spec.')
  },
})

interface DataKeyPair {
  readonly KeyPairSpec: DataKeyPairSpec
}

export const dataKeyPairEncryptionKey = keyForUse<DataKeyPair>('ENCRYPT_DECRYPT', {
  abilities: ({ KeyPairSpec }) => ['GenerateDataKeyPair', KeyPairSpec, 'SYMMETRIC_DEFAULT'],
  notInStores: true,
  fits: checkSymmetric,
})

interface Signing {
  readonly Message: Uint8Array
  readonly MessageType?: MessageType | undefined
  readonly SigningAlgorithm: SigningAlgorithmSpec
}

export const signingKey = keyForUse<Signing>('SIGN_VERIFY', {
  abilities: ({ SigningAlgorithm, MessageType = 'RAW' }) => signingAbilities(SigningAlgorithm, MessageType),
  fits({ spec }, { SigningAlgorithm, MessageType = 'RAW', Message }) {
    checkAlgorithm(spec, keySpecs[spec].signingAlgorithms, SigningAlgorithm)
    checkMessage(spec, SigningAlgorithm, MessageType, Message.length)
  },
})

interface Mac {
  readonly MacAlgorithm: MacAlgorithmSpec
}

export const macKey = keyForUse<Mac>('GENERATE_VERIFY_MAC', {
  abilities: ({ MacAlgorithm }) => [MacAlgorithm],
  fits({ spec }, { MacAlgorithm }) {
    checkAlgorithm(spec, keySpecs[spec].macAlgorithms, MacAlgorithm)
  },
})

interface KeyAgreement {
  readonly KeyAgreementAlgorithm: KeyAgreementAlgorithmSpec
  readonly PublicKey: Uint8Array
}

export const keyAgreementKey = keyForUse<KeyAgreement>('KEY_AGREEMENT', {
  abilities: ({ KeyAgreementAlgorithm }) => [KeyAgreementAlgorithm],
  fits({ spec }, { KeyAgreementAlgorithm, PublicKey }) {
    checkAlgorithm(spec, keySpecs[spec].keyAgreementAlgorithms, KeyAgreementAlgorithm)
    checkPeerKey(spec, PublicKey)
  },
})

/** Throws if a key does not support this encryption. */
export function checkEncryption(
  { spec }: Key,
  algorithm: EncryptionAlgorithmSpec,
  context: EncryptionContext = {},
): void {
  checkAlgorithm(spec, keySpecs[spec].encryptionAlgorithms, algorithm)
  if (algorithm === 'SYMMETRIC_DEFAULT' || Object.keys(context).length === 0) return
  const text = 'EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.'
  throw new Failure('Validation', text)
}

function checkAlgorithm(spec: Key['spec'], fitting: readonly string[], algorithm: string): void {
  if (fitting.includes(algorithm)) return
  throw new Failure('InvalidKeyUsage', `Algorithm ${algorithm} is incompatible with key spec ${spec}.`)
}

function checkSymmetric({ spec }: Key): void {
  if (keySpecs[spec].type === 'symmetric') return
  throw new Failure('InvalidKeyUsage', 'You cannot generate a data key with an asymmetric CMK')
}
