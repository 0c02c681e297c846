/** The client of a test proxy, with one store and one key in it. */
import type { LookupFunction } from 'node:net'
import type { LogFields } from '../../src/log.ts'
import type { CustomKeyStore } from '../../src/model/keys/custom-key-store.ts'
import type { Key } from '../../src/model/keys/key.ts'
import type { XksProxyCall } from '../../src/services.ts'
import { XksProxies, type XksProxiesOptions } from '../../src/xks-proxies/xks-proxies.ts'
import { aKey } from '../storage/records.ts'
import { credential, region, type TestProxy } from './test-proxy.ts'

export interface Client {
  readonly proxies: XksProxies
  /** As in storage. */
  store: CustomKeyStore
  readonly key: Key
  readonly logged: LogFields[]
  readonly calls: XksProxyCall[]
  /** Milliseconds of the monotonic clock. */
  time: number
  encrypt(plaintext?: Uint8Array): ReturnType<ReturnType<XksProxies['for']>['encrypt']>
}

export const aad = Buffer.alloc(32, 7)
export const call = {
  requestId: 'request-1',
  operation: 'Encrypt',
  caller: { arn: 'arn:aws:iam::111122223333:user/alice', region } as never,
}

export const noLookup: LookupFunction = () => {
  throw new Error('no look-up is expected')
}

/** Generous: on a slow machine a handshake may take longer than 250 ms. */
export function clientOf(
  proxy: Pick<TestProxy, 'address' | 'files'>,
  changed: Partial<XksProxiesOptions> = {},
): Client {
  const { address, files } = proxy
  const [logged, calls]: [LogFields[], XksProxyCall[]] = [[], []]
  const log = (fields: LogFields) => void logged.push(fields)
  const id = 'cks-0123456789abcdef0'
  const key = { ...aKey(1), customKeyStoreId: id, xksKeyId: 'key-1' }
  const client: Client = {
    store: {
      id,
      account: key.account,
      region,
      name: 'external',
      type: 'EXTERNAL_KEY_STORE',
      creationDate: 0,
      state: 'CONNECTED',
      xks: {
        connectivity: 'PUBLIC_ENDPOINT',
        uriEndpoint: 'https://localhost',
        uriPath: '/tenant/kms/xks/v1',
        accessKeyId: credential.accessKeyId,
        sealedSecret: Buffer.from(credential.secretAccessKey),
      },
      revision: 1,
    },
    key,
    logged,
    calls,
    time: 0,
    proxies: new XksProxies({
      settings: { localhost: { address, caFile: files.certificateFile } },
      allowPrivateAddresses: false,
      timeout: 20_000,
      maxCalls: 8,
      lookup: noLookup,
      stores: { find: wanted => (wanted === id ? client.store : undefined), all: () => [client.store] },
      unsealSecret: async (_store, sealed) => Buffer.from(sealed),
      clock: () => Date.now(),
      elapsed: () => client.time,
      metrics: { xksProxyCall: call => void calls.push(call), xksProxyClosed: () => void calls.splice(0) },
      log: { error: log, warn: log, info: log },
      ...changed,
    }),
    encrypt: (plaintext = Buffer.from('attack at dawn')) => client.proxies.for(call).encrypt(key, plaintext, aad),
  }
  return client
}

/** What a promise is rejected with; undefined if it is not. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
}
