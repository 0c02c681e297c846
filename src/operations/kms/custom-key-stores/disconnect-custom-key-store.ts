import { customKeyStore, storeConditionKeys } from '../custom-key-store-targets.ts'
import { operation } from '../operation.ts'

/** From here on its keys are unavailable: a job ends the connection. */
export const disconnectCustomKeyStore = operation('DisconnectCustomKeyStore')({
  readOnly: false,
  target: customKeyStore(() => 'disconnect'),
  conditionKeys: storeConditionKeys,
  recorded: ['CustomKeyStoreId'],
  async run({ target: { store }, changes }) {
    changes.put('customKeyStores', { ...store, state: 'DISCONNECTING', connectionErrorCode: undefined })
    return {}
  },
})
