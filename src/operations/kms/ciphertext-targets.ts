import type { EncryptionAlgorithmSpec } from '@aws-sdk/client-kms'
import { AccessDenied, Failure } from '../../errors.ts'
import { decodeCiphertext } from '../../model/keys/ciphertext.ts'
import type { EncryptionContext } from '../../model/keys/encryption-context.ts'
import { currentMaterial, type Key, type KeyMaterial } from '../../model/keys/key.ts'
import { recordedMaterial, recordedPair } from '../../model/keys/recorded-material.ts'
import type { Search, Target, TargetKind } from '../operation.ts'
import { checkEncryption, use } from './key-use.ts'
import { isHidden, type KeyInput, type KeyNeeds, type KeyTarget, keyTarget, usesOf } from './targets.ts'

/** Targets that decrypt. A symmetric ciphertext blob names its key; an asymmetric ciphertext cannot. */

export interface CiphertextTarget extends KeyTarget {
  readonly algorithm: EncryptionAlgorithmSpec
  /** The material that decrypts; available after the check, if there is a ciphertext. */
  readonly material: KeyMaterial
}

interface Ciphertext {
  readonly CiphertextBlob?: Uint8Array | undefined
  readonly DryRun?: boolean | undefined
  readonly DryRunModifiers?: readonly string[] | undefined
}

interface Decryption extends Ciphertext, KeyInput {
  readonly EncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
  readonly EncryptionContext?: EncryptionContext | undefined
}

/** The key that decrypts a ciphertext. */
export const ciphertext: TargetKind<Decryption, CiphertextTarget> = {
  find(input, search) {
    const source = {
      keyId: input.KeyId,
      keyMember: 'KeyId',
      ciphertext: ciphertextOf(input),
      algorithm: input.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT',
      context: input.EncryptionContext,
    }
    return ciphertextTarget(source, search)
  },
}

export interface ReEncryptTarget extends Target {
  readonly source: CiphertextTarget
  readonly destination: KeyTarget
  readonly destinationAlgorithm: EncryptionAlgorithmSpec
}

interface ReEncryption extends Ciphertext {
  readonly SourceKeyId?: string | undefined
  readonly SourceEncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
  readonly SourceEncryptionContext?: EncryptionContext | undefined
  readonly DestinationKeyId: string
  readonly DestinationEncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
  readonly DestinationEncryptionContext?: EncryptionContext | undefined
}

/** The key that decrypts a ciphertext, and the one under which its plaintext is encrypted again. */
export const reEncryption: TargetKind<ReEncryption, ReEncryptTarget> = {
  find(input, search) {
    const from = {
      keyId: input.SourceKeyId,
      keyMember: 'SourceKeyId',
      ciphertext: ciphertextOf(input),
      algorithm: input.SourceEncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT',
      context: input.SourceEncryptionContext,
    }
    const source = ciphertextTarget(from, { ...search, operation: 'ReEncryptFrom' })
    const destinationAlgorithm = input.DestinationEncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    const needs = encryptionNeeds(destinationAlgorithm, input.DestinationEncryptionContext)
    const destination = keyTarget(input.DestinationKeyId, needs, { ...search, operation: 'ReEncryptTo' })
    const prepare = async () => {
      await source.prepare?.()
      await destination.prepare?.()
    }
    return {
      source,
      destination,
      destinationAlgorithm,
      permissions: [...source.permissions, ...destination.permissions],
      get resources() {
        return [...source.resources, ...destination.resources]
      },
      prepare: (source.prepare || destination.prepare) && prepare,
      get usedKeys() {
        return [...source.resources, ...destination.resources]
      },
      owner: source.owner || destination.owner,
      get recordedMaterial() {
        return recordedPair(source.recordedMaterial, destination.recordedMaterial)
      },
      check() {
        source.check()
        destination.check()
      },
      get hsmUses() {
        return [...(source.hsmUses ?? []), ...(destination.hsmUses ?? [])]
      },
    }
  },
}

interface Source {
  readonly keyId: string | undefined
  /** Name of the input member with the key. */
  readonly keyMember: string
  /** Absent in a dry run that ignores it. */
  readonly ciphertext: Uint8Array | undefined
  readonly algorithm: EncryptionAlgorithmSpec
  readonly context: EncryptionContext | undefined
}

function ciphertextTarget(source: Source, search: Search): CiphertextTarget {
  const { keyId, ciphertext, algorithm, context } = source
  const needs = encryptionNeeds(algorithm, context)
  const target = keyId === undefined ? keyOfBlob(source, needs, search) : keyTarget(keyId, needs, search)
  let material: KeyMaterial | undefined
  return {
    algorithm,
    get key() {
      return target.key
    },
    get material() {
      return material!
    },
    permissions: target.permissions,
    get resources() {
      return target.resources
    },
    prepare: target.prepare,
    owner: target.owner,
    get recordedMaterial() {
      return recordedMaterial(target.key, material)
    },
    get usedKeys() {
      return target.resources
    },
    check() {
      // Measured on AWS: the blob is parsed before the named key is checked.
      if (algorithm === 'SYMMETRIC_DEFAULT') material = ciphertext && materialOf(target.key, ciphertext)
      target.check()
      if (algorithm !== 'SYMMETRIC_DEFAULT') material = currentMaterial(target.key)
    },
    get hsmUses() {
      return usesOf(material ?? target.key.materials.at(-1), [algorithm])
    },
  }
}

function encryptionNeeds(algorithm: EncryptionAlgorithmSpec, context: EncryptionContext | undefined): KeyNeeds {
  return {
    ...use,
    usage: 'ENCRYPT_DECRYPT',
    encryptionContext: context,
    abilities: [algorithm],
    fits: key => checkEncryption(key, algorithm, context),
  }
}

const unknownCiphertextKey =
  'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.'

function keyOfBlob({ keyMember, ciphertext, algorithm }: Source, needs: KeyNeeds, search: Search): KeyTarget {
  if (algorithm !== 'SYMMETRIC_DEFAULT') throw new Failure('Validation', `${keyMember} must not be null`)
  if (!ciphertext) throw new Failure('Validation', `${keyMember} is required when the ciphertext is ignored.`)
  const { material } = decodeCiphertext(ciphertext)
  const found = search.storage.keys.findByMaterial(material, search.caller.region)
  if (!found || isHidden(found, search.caller)) {
    const reasons = ['No key of this region has the material that the ciphertext names.']
    throw new AccessDenied(unknownCiphertextKey, { reasons })
  }
  const target = keyTarget(found.arn, needs, search)
  return {
    key: target.key,
    owner: target.owner,
    permissions: target.permissions.map(permission => ({ ...permission, denial: unknownCiphertextKey })),
    resources: target.resources,
    check: () => target.check(),
  }
}

function materialOf(key: Key, blob: Uint8Array): KeyMaterial {
  const { material } = decodeCiphertext(blob)
  const found = key.materials.find(({ id }) => id === material)
  if (found) return found
  const text = 'The key ID in the request does not identify a CMK that can perform this operation.'
  throw new Failure('IncorrectKey', text)
}

/** The ciphertext is optional in the model, but only because a dry run may ignore it. */
function ciphertextOf(input: Ciphertext): Uint8Array | undefined {
  const ignored = input.DryRunModifiers?.includes('IGNORE_CIPHERTEXT')
  if (ignored && !input.DryRun) {
    throw new Failure('Validation', 'DryRunModifiers can only be given together with DryRun.')
  }
  if (ignored) return undefined
  if (input.CiphertextBlob) return input.CiphertextBlob
  const text = `1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null`
  throw new Failure('Validation', text)
}
