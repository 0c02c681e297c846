import { customKeyStore, storeConditionKeys } from '../custom-key-store-targets.ts'
import { operation } from '../operation.ts'

/** Asks for it: a job connects it. On a connected store it changes nothing. */
export const connectCustomKeyStore = operation('ConnectCustomKeyStore')({
  readOnly: false,
  target: customKeyStore(() => 'connect'),
  conditionKeys: storeConditionKeys,
  recorded: ['CustomKeyStoreId'],
  async run({ target: { store }, changes }) {
    if (store.state === 'DISCONNECTED') changes.put('customKeyStores', { ...store, state: 'CONNECTING' })
    return {}
  },
})
