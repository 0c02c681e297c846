/** The proxies of custom key stores of type EXTERNAL_KEY_STORE. */
import { randomUUID } from 'node:crypto'
import type { LookupFunction } from 'node:net'
import { Failure } from '../errors.ts'
import { ConnectionFailure, type CustomKeyStore, type XksProxy } from '../model/keys/custom-key-store.ts'
import type { HealthRequestMetadata } from '../model/xks/messages.ts'
import { endpointHost, healthPath } from '../model/xks/uris.ts'
import type {
  ExternalKeyStores,
  ExternalKeys,
  ProxiedCall,
  Storage,
  XksProxyMetrics,
  XksProxyState,
} from '../services.ts'
import { Connection, type ProxySettings, type Undici } from './connection.ts'
import { type ExternalKeyStore, KeysOfCall } from './external-keys.ts'
import { ProxyClient, type ProxyMeans } from './proxy-client.ts'
import { ProxyFailure } from './proxy-failure.ts'
import { readHealth } from './responses.ts'
import { Signer } from './signature.ts'

export interface XksProxiesOptions extends ProxyMeans {
  /** How the operator has proxies reached, by the host of their endpoint. */
  readonly settings: Readonly<Record<string, ProxySettings>>
  /** Whether a proxy without settings may be in the gateway's own network. */
  readonly allowPrivateAddresses: boolean
  /** Milliseconds for one try of a request. */
  readonly timeout: number
  readonly lookup: LookupFunction
  readonly stores: Pick<Storage['customKeyStores'], 'find' | 'all'>
  /** The secret access key, in UTF-8; wiped after use. */
  readonly unsealSecret: (store: Pick<CustomKeyStore, 'id'>, sealedSecret: Uint8Array) => Promise<Uint8Array>
}

interface Opened {
  readonly endpoint: string
  readonly proxy: Promise<ProxyClient>
  /** The same, once there is one. */
  made?: ProxyClient
}

/**
 * Connections are made when they are first needed, by the record of the store, so that nothing is to be done when the gateway starts. Path and
 * credential are read from the record for each request: they change while a store is connected.
 */
export class XksProxies implements ExternalKeyStores {
  readonly #options: XksProxiesOptions
  /** By store. */
  readonly #opened = new Map<string, Opened>()

  constructor(options: XksProxiesOptions) {
    this.#options = options
  }

  /** Over connections of its own, and without metrics: the store is not committed yet. Rejects with a ProxyFailure. */
  async check(store: ExternalKeyStore, requestMetadata: HealthRequestMetadata): Promise<void> {
    const proxy = await this.#create(store, noMetrics)
    try {
      await checkHealth(proxy, store, requestMetadata)
    } finally {
      await proxy.close()
    }
  }

  async connect(store: CustomKeyStore, signal: AbortSignal): Promise<void> {
    try {
      signal.throwIfAborted()
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
      await Promise.race([this.#connect(store as ExternalKeyStore), aborted])
    } catch (cause) {
      void this.disconnect(store)
      const code = cause instanceof ProxyFailure ? cause.row.connectionErrorCode : 'INTERNAL_ERROR'
      throw new ConnectionFailure(code, 'the proxy cannot be used', { cause })
    }
  }

  async #connect(store: ExternalKeyStore): Promise<void> {
    await this.disconnect(store)
    await checkHealth(await this.proxyOf(store), store, ownRequest('ConnectCustomKeyStore'))
  }

  async disconnect({ id }: Pick<CustomKeyStore, 'id'>): Promise<void> {
    const opened = this.#opened.get(id)
    this.#opened.delete(id)
    await opened?.proxy.then(
      proxy => proxy.close(),
      () => undefined,
    )
  }

  for(call: ProxiedCall): ExternalKeys {
    return new KeysOfCall(call, this.#options.stores, this)
  }

  /** Asks every connected proxy for its health. Never rejects: what it finds is in the metrics, and in the log. */
  async poll(): Promise<void> {
    const external = this.#options.stores.all().filter(store => store.state === 'CONNECTED' && store.xks)
    await Promise.allSettled(
      (external as ExternalKeyStore[]).map(async store =>
        checkHealth(await this.proxyOf(store), store, ownRequest('KmsHealthCheck')),
      ),
    )
  }

  /** Of the proxies that have been used since they were connected. */
  get states(): readonly XksProxyState[] {
    return [...this.#opened].flatMap(([store, { made }]) => (made ? [{ store, ...made.state }] : []))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened.keys()].map(id => this.disconnect({ id })))
  }

  /** Rejects with a ProxyFailure for an endpoint that is none. */
  proxyOf(store: ExternalKeyStore): Promise<ProxyClient> {
    const { uriEndpoint: endpoint } = store.xks
    const known = this.#opened.get(store.id)
    if (known?.endpoint === endpoint) return known.proxy
    if (known) void this.disconnect(store)
    const opened: Opened = { endpoint, proxy: this.#create(store) }
    this.#opened.set(store.id, opened)
    opened.proxy.then(
      proxy => {
        opened.made = proxy
      },
      () => {
        if (this.#opened.get(store.id) === opened) this.#opened.delete(store.id)
      },
    )
    return opened.proxy
  }

  #connectionTo(undici: Undici, host: string): Connection {
    const { settings, maxCalls: maxConnections, log } = this.#options
    const own = (Object.hasOwn(settings, host) && settings[host]) || {}
    try {
      return new Connection(undici, { ...this.#options, host, settings: own, maxConnections })
    } catch (err) {
      log.error(
        { event: 'xks_proxy_settings_invalid', host, err },
        'Files of the settings of an XKS proxy cannot be used',
      )
      throw new ProxyFailure('tls', `the settings of ${host} cannot be used`, { cause: err })
    }
  }

  /** A damaged secret is no ciphertext of the caller. */
  async #unseal(store: ExternalKeyStore, sealedSecret: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#options.unsealSecret(store, sealedSecret)
    } catch (cause) {
      throw cause instanceof Failure && cause.fault === 'server' ? cause : new Failure('Internal', '', { cause })
    }
  }

  async #create(store: ExternalKeyStore, metrics = this.#options.metrics): Promise<ProxyClient> {
    const host = hostOf(store.xks)
    const undici = await import('undici')
    const connection = this.#connectionTo(undici, host)
    const signer = new Signer(store.region, ({ sealedSecret }) => this.#unseal(store, sealedSecret))
    return new ProxyClient(store.id, host, connection, signer, { ...this.#options, metrics })
  }
}

export const noMetrics: XksProxyMetrics = { xksProxyCall() {}, xksProxyClosed() {} }

function hostOf({ uriEndpoint }: XksProxy): string {
  const host = endpointHost(uriEndpoint)
  if (host !== undefined) return host
  throw new ProxyFailure('unreachable', `${uriEndpoint} is not a valid endpoint`)
}

/** Of a request that no caller waits for. */
function ownRequest(kmsOperation: string): HealthRequestMetadata {
  return { kmsRequestId: randomUUID(), kmsOperation }
}

/** Rejects with a ProxyFailure if it does not answer, or if all external key managers behind it are unavailable. */
async function checkHealth(
  proxy: ProxyClient,
  { xks }: ExternalKeyStore,
  requestMetadata: HealthRequestMetadata,
): Promise<void> {
  const path = healthPath(xks.uriPath)
  proxy.managers = await proxy.call({ operation: 'health', path, message: { requestMetadata }, read: readHealth }, xks)
  if (proxy.managers.every(status => status === 'UNAVAILABLE'))
    throw new ProxyFailure('unhealthy', 'all external key managers are unavailable')
}
