import { countStates } from '../vault/key-store-connections.ts'
import { job } from './job.ts'

/** Connects and disconnects custom key stores, as their states ask for; after a start, too. Waits for none of them. */
export const connectKeyStores = job({
  name: 'connect-key-stores',
  interval: 250,
  perGateway: true,
  start({ storage, keyStoreConnections, metrics }) {
    return async () => {
      keyStoreConnections.follow()
      metrics.customKeyStores(countStates(storage.customKeyStores.all()))
    }
  },
})
