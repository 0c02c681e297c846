/** Data keys of backups, wrapped by the seal keys of HSMs: a backup can be read only with one of those HSMs, or a copy of its token. */
import { Failure } from '../errors.ts'
import { decodeCiphertext } from '../model/keys/ciphertext.ts'
import { type KeyMaterial, objectOf } from '../model/keys/key.ts'
import type { Hsm, Hsms } from '../services.ts'
import { decryptBlob, encryptBlob, type Vault } from './ciphertexts.ts'
import { systemKeyMaterial } from './system-keys.ts'

export interface WrappedDataKey {
  readonly hsm: string
  /** CKA_ID of the seal key. */
  readonly object: string
  readonly blob: Uint8Array
}

/** AES-256. */
const keyLength = 32

const contextOf = (backup: string) => ({ purpose: 'backup', backup })

/**
 * Resolves to a new data key, to be wiped by the caller, wrapped by every HSM of a region that is ready. Rejects with KeyUnavailable if none is.
 *
 * @param backup its id, to which the data key is bound
 */
export async function newBackupKey(
  backup: string,
  vault: Vault,
): Promise<{ readonly key: Uint8Array; readonly wrapped: readonly WrappedDataKey[] }> {
  const ready = vault.hsms.regional.filter(({ health }) => health.state === 'ready')
  const [first] = ready
  if (first === undefined) throw new Failure('KeyUnavailable', '', { cause: new Error('no HSM is ready') })
  const key = await first.random(keyLength)
  const wrap = async ({ name }: Hsm): Promise<WrappedDataKey> => {
    const seal = systemKeyMaterial(name, 'seal', vault.storage)
    return { hsm: name, object: objectOf(seal).id, blob: await encryptBlob(vault, seal, key, contextOf(backup)) }
  }
  return { key, wrapped: await Promise.all(ready.map(wrap)) }
}

/**
 * Resolves to the data key, to be wiped by the caller; undefined if the HSM did not wrap it. Rejects with InvalidState if the HSM does not have
 * the seal key.
 */
export async function unwrapBackupKey(
  backup: string,
  { object, blob }: Pick<WrappedDataKey, 'object' | 'blob'>,
  hsm: Hsm,
  hsms: Hsms,
): Promise<Uint8Array | undefined> {
  const { material: id } = decodeCiphertext(blob)
  const seal = { id, createdAt: 0, object: { id: object, hsm: hsm.name } } as KeyMaterial
  try {
    return await decryptBlob(hsms, seal, blob, contextOf(backup))
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'InvalidCiphertext') return undefined
    throw thrown
  }
}
