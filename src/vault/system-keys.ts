/** System keys, the gateway's own: on each HSM one that encrypts the secrets of access keys, and one that proves that the HSM works. */
import { Failure } from '../errors.ts'
import { decodeCiphertext } from '../model/keys/ciphertext.ts'
import { encryptionLimit } from '../model/keys/encryption-limit.ts'
import { type KeyMaterial, type SystemKey, systemKeyPurposes } from '../model/keys/key.ts'
import type { Hsm, Services } from '../services.ts'
import { Changes, type Storage } from '../storage/storage.ts'
import { decryptBlob, encryptBlob, type Vault } from './ciphertexts.ts'
import { createMaterial, type Recorder } from './materials.ts'

/** Their spec and usage. */
export const systemKeyKind = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const

/** The purposes without a key on an HSM. */
export function missingSystemKeys(hsm: string, { systemKeys }: Storage): readonly SystemKey['purpose'][] {
  return systemKeyPurposes.filter(purpose => systemKeys.find(hsm, purpose) === undefined)
}

/** To encrypt with. Throws KeyUnavailable if the HSM has no key for the purpose, or that has encrypted as many messages as it may. */
export function systemKeyMaterial(
  hsm: string,
  purpose: SystemKey['purpose'],
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
  return hsms.all
    .map(({ name }) => storage.systemKeys.find(name, 'seal')?.material)
    .find(material => material?.id === sealedBy)
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
): Promise<void> {
  for (const purpose of missingSystemKeys(hsm.name, storage)) {
    const material = await createMaterial(hsm, systemKeyKind, `strongroom ${purpose}`, clock())
    const details = { hsm: hsm.name, purpose, keyMaterialId: material.id, ...origin }
    const event = audit.event('CreateSystemKey', undefined, details)
    const changes = new Changes()
    changes.put('systemKeys', { purpose, material, revision: 0 })
    await outbox.record(changes, event)
  }
}

/** Rejects unless the HSM encrypts and decrypts with its canary key: a search could succeed even on a lost token. */
export async function checkCanary(hsm: string, vault: Vault): Promise<void> {
  const material = systemKeyMaterial(hsm, 'canary', vault.storage)
  const plaintext = Buffer.from('canary')
  const blob = await encryptBlob(vault, material, plaintext)
  if (!plaintext.equals(await decryptBlob(vault.hsms, material, blob)))
    throw new Error('the canary key did not decrypt what it had encrypted')
}
