/** External key stores by the configuration. */
import { hostLookup } from '../authentication/web-identity/host-lookup.ts'
import type { Config } from '../config.ts'
import type { Log, XksProxyMetrics } from '../services.ts'
import { unsealStoreSecret } from '../vault/store-secrets.ts'
import { XksProxies } from '../xks-proxies/xks-proxies.ts'
import type { Backends } from './backends.ts'

/** Calls to one proxy at a time: more than 1,800 a second, the quota of AWS, at the latency that AWS allows. */
const maxCalls = 256

interface Means extends Backends {
  readonly clock: () => number
  readonly elapsed: () => number
  readonly metrics: XksProxyMetrics
  readonly log: Log
}

export function externalKeyStores({ customKeyStores }: Config, { storage, hsms, ...means }: Means): XksProxies {
  const { allowPrivateAddresses, proxies, proxyTimeout } = customKeyStores
  return new XksProxies({
    ...means,
    maxCalls,
    settings: proxies,
    allowPrivateAddresses,
    timeout: proxyTimeout,
    lookup: hostLookup(),
    stores: storage.customKeyStores,
    unsealSecret: (store, sealed) => unsealStoreSecret(store, sealed, { storage, hsms }),
  })
}
