import { Failure } from '../../../errors.ts'
import { forgetCanary } from '../../../vault/system-keys.ts'
import { customKeyStore, storeConditionKeys } from '../custom-key-store-targets.ts'
import { operation } from '../operation.ts'

/** Only without any KMS key, pending deletion or not. */
export const deleteCustomKeyStore = operation('DeleteCustomKeyStore')({
  readOnly: false,
  target: customKeyStore(() => 'delete'),
  conditionKeys: storeConditionKeys,
  recorded: ['CustomKeyStoreId'],
  async run({ target: { store }, storage, changes, keyStores }) {
    const { length } = storage.keys.inStore(store.id)
    if (length > 0) {
      const text = `Custom key store ${store.id} has ${length} KMS ${length === 1 ? 'key' : 'keys'}.`
      throw new Failure('CustomKeyStoreHasCMKs', text)
    }
    keyStores.passwords?.delete(store.id)
    const hsm = store.cloudHsm && keyStores.hsmOf(store.cloudHsm.clusterId)
    if (hsm !== undefined) forgetCanary(changes, hsm, storage)
    changes.remove('customKeyStores', store)
    return {}
  },
})
