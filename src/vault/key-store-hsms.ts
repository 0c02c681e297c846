/** HSMs of custom key stores: their passwords, and the proof that they work. */
import { Failure } from '../errors.ts'
import { type CloudHsmCluster, ConnectionFailure, type CustomKeyStore } from '../model/keys/custom-key-store.ts'
import type { Services } from '../services.ts'
import type { Recorder } from './materials.ts'
import { sealStoreSecret, unsealStoreSecret } from './store-secrets.ts'
import { checkCanary, createSystemKeys } from './system-keys.ts'

export type KeyStoreMeans = Pick<Services, 'storage' | 'hsms' | 'clock' | 'keyStores'> & Recorder

/**
 * The password of a store, as its record keeps it: absent if passwords are kept in memory only.
 *
 * @param store before it is committed
 */
export async function keepPassword(
  store: Pick<CustomKeyStore, 'id' | 'region'>,
  password: string,
  { storage, hsms, keyStores }: Pick<Services, 'storage' | 'hsms' | 'keyStores'>,
): Promise<Pick<CloudHsmCluster, 'sealedPassword'>> {
  if (keyStores.passwords === undefined)
    return { sealedPassword: await sealStoreSecret(store, password, { storage, hsms }) }
  keyStores.passwords.set(store.id, Buffer.from(password))
  return { sealedPassword: undefined }
}

/** In UTF-8, for the caller to wipe. Rejects with ConnectionFailure if it was in memory only, before a restart. */
async function passwordOf(
  store: CustomKeyStore,
  { sealedPassword }: CloudHsmCluster,
  { storage, hsms, keyStores }: KeyStoreMeans,
): Promise<Uint8Array> {
  if (sealedPassword !== undefined) return unsealStoreSecret(store, sealedPassword, { storage, hsms })
  const kept = keyStores.passwords?.get(store.id)
  if (kept !== undefined) return Uint8Array.from(kept)
  throw new ConnectionFailure('INVALID_CREDENTIALS', 'the password was in memory only: update the custom key store')
}

/**
 * Connects the HSM of a store, with its password, and proves that it works: it holds the canary key, of a former connection or a new one,
 * and encrypts and decrypts with it. Rejects with ConnectionFailure, and has then left no connection.
 *
 * @param signal ends the attempt
 */
export async function connectKeyStoreHsm(
  store: CustomKeyStore,
  cluster: CloudHsmCluster,
  signal: AbortSignal,
  means: KeyStoreMeans,
): Promise<void> {
  const { keyStores, storage } = means
  const name = keyStores.hsmOf(cluster.clusterId)
  if (name === undefined)
    throw new ConnectionFailure(
      'CLUSTER_NOT_FOUND',
      `no HSM of the configuration has the clusterId ${cluster.clusterId}`,
    )
  const connect = () => keyStores.connect(name, () => passwordOf(store, cluster, means), signal)
  try {
    const hsm = await connect()
    signal.throwIfAborted()
    if (storage.systemKeys.find(name, 'canary') === undefined) {
      await createSystemKeys(hsm, means, { customKeyStoreId: store.id }, ['canary'])
      signal.throwIfAborted()
      // The other tokens of a cluster are used only once there is a canary key, by which they prove that they hold the same keys.
      if (hsm.health.members) {
        await keyStores.disconnect(name)
        await connect()
      }
    }
    await checkCanary(name, means)
    signal.throwIfAborted()
  } catch (thrown) {
    await keyStores.disconnect(name)
    throw thrown instanceof Failure ? keyStores.failure(thrown) : thrown
  }
}
