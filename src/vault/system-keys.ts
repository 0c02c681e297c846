/**
 * System keys, the gateway's own: on each HSM one that proves that it works, and on that of a region one that encrypts the secrets of access keys. audit-key.ts
 * and transfer-key.ts create others, on some HSMs.
 */
import { Failure } from '../errors.ts'
import { decodeCiphertext } from '../model/keys/ciphertext.ts'
import type { EncryptionContext } from '../model/keys/encryption-context.ts'
import { encryptionLimit } from '../model/keys/encryption-limit.ts'
import {
  encryptionPurposes,
  type KeyMaterial,
  objectOf,
  objectsOfSystemKey,
  type SystemKey,
} from '../model/keys/key.ts'
import type { Hsm, JobServices, Services } from '../services.ts'
import type { Changes, Storage } from '../storage/storage.ts'
import { decryptBlob, encryptBlob, type Vault } from './ciphertexts.ts'
import { markForDestruction } from './destruction.ts'
import { createMaterial, destroyUncommitted, type Recorder } from './materials.ts'

type EncryptionPurpose = (typeof encryptionPurposes)[number]

const encryption = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const

/** Spec and usage by purpose. */
export const systemKeyKinds = {
  seal: encryption,
  canary: encryption,
  audit: { spec: 'ECC_NIST_P256', usage: 'SIGN_VERIFY' },
  transfer: { spec: 'RSA_3072', usage: 'UNWRAP' },
} as const

/** The purposes without a key on an HSM. */
export function missingSystemKeys(
  hsm: string,
  { systemKeys }: Pick<Storage, 'systemKeys'>,
  purposes: readonly EncryptionPurpose[] = encryptionPurposes,
): readonly EncryptionPurpose[] {
  return purposes.filter(purpose => systemKeys.find(hsm, purpose) === undefined)
}

/** To encrypt with. Throws KeyUnavailable if the HSM has no key for the purpose, or that has encrypted as many messages as it may. */
export function systemKeyMaterial(
  hsm: string,
  purpose: EncryptionPurpose,
  { systemKeys, encryptions }: Storage,
): KeyMaterial {
  const { material } = systemKeys.find(hsm, purpose) ?? {}
  if (material && encryptions.made(material.id) < encryptionLimit) return material
  const why = material ? `has encrypted ${encryptionLimit} messages, as many as AES-GCM allows` : 'is missing'
  throw new Failure('KeyUnavailable', '', { cause: new Error(`the ${purpose} key of the HSM ${hsm} ${why}`) })
}

/**
 * The seal key that made a ciphertext blob; undefined if no configured HSM has it. Throws InvalidCiphertext for anything but a blob.
 */
export function sealKeyOf(blob: Uint8Array, { storage, hsms }: Vault): KeyMaterial | undefined {
  const { material: sealedBy } = decodeCiphertext(blob)
  for (const { name } of hsms.all) {
    const { material, former = [] } = storage.systemKeys.find(name, 'seal') ?? {}
    if (material?.id === sealedBy) return material
    const found = former.find(({ id }) => id === sealedBy)
    if (found) return found
  }
  return undefined
}

/**
 * Resolves to the secret of a ciphertext blob that a seal key made, for the caller to wipe. Rejects with KeyUnavailable when no connected HSM
 * has that key, with InvalidCiphertext if the blob is damaged or was sealed for another context.
 */
export async function unsealBlob(blob: Uint8Array, context: EncryptionContext, vault: Vault): Promise<Uint8Array> {
  const seal = sealKeyOf(blob, vault)
  if (!seal) throw new Failure('KeyUnavailable', '', { cause: new Error('no HSM holds the seal key') })
  return decryptBlob(vault.hsms, seal, blob, context)
}

/**
 * Creates the missing ones of an HSM, each with an audit record.
 *
 * @param origin for the record: what creates them, and for whom
 */
export async function createSystemKeys(
  hsm: Hsm,
  { storage, clock, audit, outbox }: Pick<Services, 'storage' | 'clock'> & Recorder,
  origin: object,
  purposes?: readonly EncryptionPurpose[],
): Promise<void> {
  for (const purpose of missingSystemKeys(hsm.name, storage, purposes)) {
    const details = { hsm: hsm.name, purpose, ...origin }
    const intent = audit.event('CreateSystemKey', undefined, details)
    const create = async (changes: Changes) => {
      const material = await createMaterial(hsm, encryption, `strongroom ${purpose}`, clock())
      changes.created.push(objectOf(material))
      changes.put('systemKeys', { purpose, material, revision: 0 })
      return { ...intent, additionalEventData: { ...details, keyMaterialId: material.id } }
    }
    await outbox.act(intent, create, changes => destroyUncommitted(changes, { hsms: { named: () => hsm } }))
  }
}

/**
 * Removes the canary key of an HSM, in the changes by which its custom key store leaves it: the next store to use it may have another token. The
 * object is destroyed if it has the same one. An HSM with KMS keys keeps it, as it was the HSM of a region before. So does a seal key from
 * that time, which may have sealed the secrets of access keys.
 */
export function forgetCanary(changes: Changes, hsm: string, storage: Storage): void {
  const canary = storage.systemKeys.find(hsm, 'canary')
  if (!canary || storage.keys.onHsm(hsm).length > 0) return
  changes.remove('systemKeys', canary)
  markForDestruction(changes, objectsOfSystemKey(canary), undefined, storage)
}

/**
 * Replaces the seal key of an HSM for what is sealed from now on; the former one still unseals. Rejects with Conflict, having changed nothing,
 * if it was replaced meanwhile.
 *
 * @param createdAt milliseconds since the epoch
 * @param why for the audit record
 */
export async function rotateSealKey(
  { material: previous, former = [], ...systemKey }: SystemKey,
  createdAt: number,
  { hsms, audit, outbox }: Pick<JobServices, 'hsms' | 'audit' | 'outbox'>,
  why: object,
): Promise<void> {
  const hsm = hsms.named(objectOf(previous).hsm)
  const details = { hsm: hsm.name, purpose: systemKey.purpose, previousKeyMaterialId: previous.id, ...why }
  const intent = audit.event('RotateSystemKey', undefined, details)
  const replace = async (changes: Changes) => {
    const material = await createMaterial(hsm, encryption, 'strongroom seal', createdAt)
    changes.created.push(objectOf(material))
    changes.put('systemKeys', { ...systemKey, material, former: [...former, previous] })
    return { ...intent, additionalEventData: { ...details, currentKeyMaterialId: material.id } }
  }
  await outbox.act(intent, replace, changes => destroyUncommitted(changes, { hsms }))
}

/** Rejects unless the HSM encrypts and decrypts with its canary key: a search could succeed even on a lost token. */
export async function checkCanary(hsm: string, vault: Vault): Promise<void> {
  const material = systemKeyMaterial(hsm, 'canary', vault.storage)
  const plaintext = Buffer.from('canary')
  const blob = await encryptBlob(vault, material, plaintext)
  if (!plaintext.equals(await decryptBlob(vault.hsms, material, blob)))
    throw new Error('the canary key did not decrypt what it had encrypted')
}
