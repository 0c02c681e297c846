/** External keys, as one call uses them: XKS Proxy API Specification 1.0.3, "API operations". */
import { Failure } from '../errors.ts'
import { serviceNames } from '../model/identities/service-names.ts'
import type { ExternalCiphertext } from '../model/keys/ciphertext.ts'
import type { CustomKeyStore, XksProxy } from '../model/keys/custom-key-store.ts'
import type { Key } from '../model/keys/key.ts'
import {
  encryptionAlgorithm,
  type HealthRequestMetadata,
  integrityAlgorithm,
  type KeyRequestMetadata,
} from '../model/xks/messages.ts'
import { type KeyOperation, keyPath } from '../model/xks/uris.ts'
import type { ExternalKeys, ProxiedCall, Storage } from '../services.ts'
import type { ProxyClient } from './proxy-client.ts'
import { ProxyFailure } from './proxy-failure.ts'
import { type Members, readDecryption, readEncryption, readKeyMetadata } from './responses.ts'

/** A store of type EXTERNAL_KEY_STORE. */
export type ExternalKeyStore = CustomKeyStore & { readonly xks: XksProxy }

interface Proxies {
  check(store: ExternalKeyStore, requestMetadata: HealthRequestMetadata): Promise<void>
  proxyOf(store: ExternalKeyStore): Promise<ProxyClient>
}

export class KeysOfCall implements ExternalKeys {
  readonly #call: ProxiedCall
  readonly #stores: Pick<Storage['customKeyStores'], 'find'>
  readonly #proxies: Proxies

  constructor(call: ProxiedCall, stores: Pick<Storage['customKeyStores'], 'find'>, proxies: Proxies) {
    this.#call = call
    this.#stores = stores
    this.#proxies = proxies
  }

  async checkStore(store: CustomKeyStore): Promise<void> {
    const { requestId: kmsRequestId, operation: kmsOperation } = this.#call
    try {
      await this.#proxies.check(store as ExternalKeyStore, { kmsRequestId, kmsOperation })
    } catch (thrown) {
      throw thrown instanceof ProxyFailure ? thrown.asFailure() : thrown
    }
  }

  async check(store: CustomKeyStore, xksKeyId: string): Promise<void> {
    const message = { requestMetadata: this.#metadata() }
    const found = await this.#request(store as ExternalKeyStore, xksKeyId, 'metadata', message, readKeyMetadata).catch(
      (thrown: unknown) => {
        if (!(thrown instanceof ProxyFailure)) throw thrown
        const isOfKey = thrown.kind === 'keyNotFound' || thrown.kind === 'unsupported'
        throw thrown.asFailure(isOfKey ? thrown.row.code : 'CustomKeyStoreInvalidState')
      },
    )
    const { keySpec, keyStatus, keyUsage } = found
    const usages = keyUsage.join(', ')
    const needs: readonly (readonly [isMet: boolean, text: string])[] = [
      [
        keySpec === 'AES_256',
        `key spec of the external key must be AES_256. The key spec of specified external key is ${keySpec}.`,
      ],
      [
        keyStatus === 'ENABLED',
        `status of the external key must be ENABLED. The status of specified external key is ${keyStatus}.`,
      ],
      [
        keyUsage.includes('ENCRYPT') && keyUsage.includes('DECRYPT'),
        `key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key is ${usages}.`,
      ],
    ]
    const unmet = needs.find(([isMet]) => !isMet)
    if (unmet) throw new Failure('XksKeyInvalidConfiguration', `The ${unmet[1]}`)
  }

  encrypt(key: Key, plaintext: Uint8Array, aad: Uint8Array): Promise<ExternalCiphertext> {
    const message = {
      plaintext: base64(plaintext),
      encryptionAlgorithm,
      additionalAuthenticatedData: base64(aad),
      ciphertextDataIntegrityValueAlgorithm: integrityAlgorithm,
    }
    return this.#use(key, 'encrypt', message, members => readEncryption(members, plaintext.length, aad))
  }

  decrypt(key: Key, { metadata, iv, tag, ciphertext }: ExternalCiphertext, aad: Uint8Array): Promise<Uint8Array> {
    const message = {
      ciphertext: base64(ciphertext),
      encryptionAlgorithm,
      initializationVector: base64(iv),
      authenticationTag: base64(tag),
      ...(metadata.length > 0 && { ciphertextMetadata: base64(metadata) }),
      additionalAuthenticatedData: base64(aad),
    }
    return this.#use(key, 'decrypt', message, members => readDecryption(members, ciphertext.length))
  }

  async #use<T>(key: Key, operation: KeyOperation, message: object, read: (members: Members) => T): Promise<T> {
    const requestMetadata = { ...this.#metadata(), kmsKeyArn: key.arn }
    try {
      return await this.#request(this.#storeOf(key), key.xksKeyId!, operation, { requestMetadata, ...message }, read)
    } catch (thrown) {
      throw thrown instanceof ProxyFailure ? thrown.asFailure('InvalidState') : thrown
    }
  }

  async #request<T>(
    store: ExternalKeyStore,
    keyId: string,
    operation: KeyOperation,
    message: { readonly requestMetadata: KeyRequestMetadata },
    read: (members: Members) => T,
  ): Promise<T> {
    // Allowed in a key id, but other segments in a path.
    if (keyId === '.' || keyId === '..') throw new ProxyFailure('keyNotFound', `${keyId} cannot be sent in a path`)
    const proxy = await this.#proxies.proxyOf(store)
    return proxy.call({ operation, path: keyPath(store.xks.uriPath, keyId, operation), message, read }, store.xks)
  }

  /** It may have been disconnected since the state of the key was checked. */
  #storeOf({ arn, customKeyStoreId = '' }: Key): ExternalKeyStore {
    const store = this.#stores.find(customKeyStoreId)
    if (store?.state === 'CONNECTED' && store.xks) return store as ExternalKeyStore
    throw new Failure('InvalidState', `${arn} is unavailable.`)
  }

  #metadata(): KeyRequestMetadata {
    const { requestId, operation, caller } = this.#call
    const { arn, via, region } = caller
    return {
      kmsRequestId: requestId,
      kmsOperation: operation,
      awsPrincipalArn: arn,
      // With the region in its name, as policies have it.
      ...(via && { kmsViaService: serviceNames(via.service, region).at(-1) }),
    }
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
