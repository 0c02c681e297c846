/**
 * The key that signs the audit journal. There is one, on the HSM that the configuration names. A new key is signed by the former one, so that
 * whoever trusts the first of them can check the signatures of all.
 */
import { fingerprintOf, pemOf, signingKeyText, TrustedKeys } from '../audit/checkpoint.ts'
import { Failure } from '../errors.ts'
import { type KeyMaterial, objectOf, type SigningKey, type SystemKey } from '../model/keys/key.ts'
import type { Hsm, Services } from '../services.ts'
import type { Changes, Storage } from '../storage/storage.ts'
import { markForDestruction } from './destruction.ts'
import { createMaterial, destroyUncommitted, hsmKey, type Recorder } from './materials.ts'
import { systemKeyKinds } from './system-keys.ts'

const kind = systemKeyKinds.audit

type Vault = Pick<Services, 'storage' | 'hsms' | 'clock'>

/**
 * The latest one. Another may be left from an HSM that was not configured when the key was moved from it.
 *
 * @param hsms names of the configured ones
 */
export function auditKey(hsms: readonly string[], { systemKeys }: Pick<Storage, 'systemKeys'>): SystemKey | undefined {
  const found = hsms.flatMap(hsm => systemKeys.find(hsm, 'audit') ?? [])
  return found.sort((one, other) => one.material.createdAt - other.material.createdAt).at(-1)
}

/** Whether it is on the HSM where it should be. */
export function hasAuditKeyOn(hsm: string, hsms: readonly string[], storage: Pick<Storage, 'systemKeys'>): boolean {
  return auditKey(hsms, storage)?.material.object?.hsm === hsm
}

/** DER SubjectPublicKeyInfo. */
export function auditPublicKey({ material }: Pick<SystemKey, 'material'>): Uint8Array {
  return objectOf(material).publicKey!
}

/** Its public key in PEM. */
export function auditKeyPem(key: Pick<SystemKey, 'material'>): string {
  return pemOf(auditPublicKey(key))
}

/** @returns base64 of the DER ECDSA-Sig-Value. Rejects with InvalidState if the HSM works and does not have the key, and with KeyUnavailable. */
export async function signWith(material: KeyMaterial, text: string, hsms: Services['hsms']): Promise<string> {
  const object = objectOf(material)
  const hsm = hsms.named(object.hsm)
  const signature = await hsm.sign(hsmKey(kind, object), 'ECDSA_SHA_256', 'RAW', Buffer.from(text))
  return Buffer.from(signature).toString('base64')
}

/** Creates the audit key of an installation, or moves it to this HSM, with an audit record. @param origin see createSystemKeys */
export async function createAuditKey(hsm: Hsm, services: Vault & Recorder, origin: object): Promise<void> {
  const { storage, hsms, audit, outbox } = services
  const names = hsms.all.map(({ name }) => name)
  const former = auditKey(names, storage)
  if (former && objectOf(former.material).hsm === hsm.name) return
  const { revision = 0 } = storage.systemKeys.find(hsm.name, 'audit') ?? {}
  const replaced = { former, revision }
  const details = { hsm: hsm.name, purpose: 'audit', ...origin }
  const intent = audit.event('CreateSystemKey', undefined, details)
  const create = async (changes: Changes) => {
    const created = await replaceAuditKey(hsm, replaced, changes, services).catch(error => {
      // Otherwise no audit key could be moved from an HSM that has lost it.
      if (isMissing(error)) return replaceAuditKey(hsm, replaced, changes, services, { isLost: true })
      throw error
    })
    return { ...intent, additionalEventData: { ...details, ...detailsOf(created, former) } }
  }
  await outbox.act(intent, create, changes => destroyUncommitted(changes, services))
}

/** Whether the error says that the HSM works and does not have the key. */
export function isMissing(error: unknown): boolean {
  return error instanceof Failure && error.code === 'InvalidState'
}

/** What a new audit key replaces, as it was when that was decided: if it is another by then, the change is a conflict. */
interface Replaced {
  readonly former: SystemKey | undefined
  /** Of the record on the HSM of the new key; 0 if there is none. */
  readonly revision: number
}

/**
 * Adds a new audit key to changes. The former one, if any, signs it, and is destroyed after that. Rejects with InvalidState,
 * leaving nothing on the HSM, if it does not have the former one.
 *
 * @param isLost the former one cannot sign: nobody who trusts it has a reason to trust the new one
 */
export async function replaceAuditKey(
  hsm: Hsm,
  { former, revision }: Replaced,
  changes: Changes,
  { storage, hsms, clock }: Vault,
  { isLost = false } = {},
): Promise<SystemKey> {
  const material = await createMaterial(hsm, kind, 'strongroom audit', clock())
  const signing = former && !isLost ? signedChange(former, material, hsms) : undefined
  const signed = await signing?.catch(async error => {
    await hsm.destroyKey(material.id).catch(() => undefined)
    throw error
  })
  changes.created.push(objectOf(material))
  const before = former?.changes ?? []
  const next = { purpose: 'audit', material, changes: signed ? [...before, signed] : before, revision } as const
  changes.put('systemKeys', next)
  if (former && objectOf(former.material).hsm !== hsm.name) changes.remove('systemKeys', former)
  if (signed) markForDestruction(changes, [objectOf(former!.material)], undefined, storage)
  return next
}

/** For the audit record: hex SHA-256 of the public keys. */
export function detailsOf(created: SystemKey, former: SystemKey | undefined) {
  return {
    keyMaterialId: created.material.id,
    fingerprint: fingerprintOf(auditPublicKey(created)),
    previousFingerprint: former && fingerprintOf(auditPublicKey(former)),
  }
}

async function signedChange(former: SystemKey, material: KeyMaterial, hsms: Services['hsms']): Promise<SigningKey> {
  const unsigned = {
    publicKey: Buffer.from(auditPublicKey({ material })).toString('base64'),
    previous: fingerprintOf(auditPublicKey(former)),
    time: new Date(material.createdAt).toISOString(),
  }
  const change = { ...unsigned, signature: await signWith(former.material, signingKeyText(unsigned), hsms) }
  if (new TrustedKeys([auditPublicKey(former)]).change(change) === 'valid') return change
  throw new Failure('Internal', '', { cause: new Error('the signature by the former audit key is not valid') })
}
