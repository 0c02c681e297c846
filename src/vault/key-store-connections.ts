/**
 * Connects and disconnects custom key stores, outside of requests: storage says in which state each shall be, and this is called again and
 * again to do what is missing. So a restart in the middle goes on where it was.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  type ConnectionErrorCode,
  ConnectionFailure,
  type ConnectionState,
  type CustomKeyStore,
  nextState,
  type StoreEvent,
} from '../model/keys/custom-key-store.ts'
import type { JobServices, Services } from '../services.ts'
import { Changes, Conflict } from '../storage/storage.ts'
import { connectKeyStoreHsm, type KeyStoreMeans } from './key-store-hsms.ts'

export interface ConnectionMeans extends KeyStoreMeans, Pick<JobServices, 'log'> {
  /** Of the jobs of the fleet: see KeyStoreConnections. */
  readonly jobLease: { readonly fence: number | undefined }
  readonly externalKeyStores: Services['externalKeyStores']
  /** Milliseconds within which a store is CONNECTED or FAILED. */
  readonly connectTimeout: number
}

/** Milliseconds before a store that was connected before a restart is tried again, and before an outcome that could not be committed is. */
const pause = 5000
const commitPause = 1000

/** After these the password is not tried again: tokens lock after a few wrong PINs. */
const final: ReadonlySet<ConnectionErrorCode> = new Set([
  'INVALID_CREDENTIALS',
  'USER_LOCKED_OUT',
  'USER_NOT_FOUND',
  'USER_LOGGED_IN',
])

/** How the work of a store ended. */
type End = readonly ['connected' | 'disconnected'] | readonly ['connectionFailed', ConnectionErrorCode]

interface Work {
  readonly kind: 'connect' | 'disconnect'
  readonly controller: AbortController
  readonly done: Promise<void>
}

/**
 * Every gateway of a fleet has sessions of its own. The one that has the lease of the jobs connects a store first, so that a wrong password is
 * tried once, and commits how that ended; the others connect once the store is CONNECTED. What fails there is no fault of the store.
 */
export class KeyStoreConnections {
  readonly #means: ConnectionMeans
  /** By id of the store. */
  readonly #works = new Map<string, Work>()
  /** With which settings the HSM or proxy of a store is connected, by id of the store. */
  readonly #connected = new Map<string, string>()
  /** With which settings of a CONNECTED store its password was refused here, by id of the store. */
  readonly #refused = new Map<string, string>()
  #isClosed = false

  constructor(means: ConnectionMeans) {
    this.#means = means
  }

  /** Starts what the states of the stores ask for, and does not wait for it. */
  follow(): void {
    if (this.#isClosed) return
    for (const store of this.#means.storage.customKeyStores.all()) this.#follow(store)
  }

  /** Ends connections in progress: their stores remain CONNECTING, and are connected at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const { controller } of this.#works.values()) controller.abort()
    await Promise.all([...this.#works.values()].map(({ done }) => done))
  }

  #follow(store: CustomKeyStore): void {
    const { id, state, xks } = store
    const work = this.#works.get(id)
    if (state === 'DISCONNECTING') {
      if (work?.kind === 'connect') work.controller.abort()
      if (work === undefined && (this.#isFirst || this.#connected.has(id))) this.#start(store, 'disconnect')
      return
    }
    if (work !== undefined) return
    if (state !== 'CONNECTED') this.#refused.delete(id)
    const settings = settingsOf(store)
    // A proxy is connected at its first use.
    if (state === 'CONNECTED' && xks) this.#connected.set(id, settings)
    const known = this.#connected.get(id)
    const isCurrent = known === settings && (state === 'CONNECTED' || (state === 'CONNECTING' && !this.#isFirst))
    // Another gateway has disconnected the store, and perhaps connected it again with other settings.
    if (known !== undefined && !isCurrent) this.#start(store, 'disconnect')
    if (known === undefined && this.#isWanted(store, settings)) this.#start(store, 'connect')
  }

  /** Whether this gateway connects and disconnects stores before the others. */
  get #isFirst(): boolean {
    return this.#means.jobLease.fence !== undefined
  }

  #isWanted({ id, state }: CustomKeyStore, settings: string): boolean {
    return this.#isFirst ? isConnected(state) : state === 'CONNECTED' && this.#refused.get(id) !== settings
  }

  #start(store: CustomKeyStore, kind: Work['kind']): void {
    const controller = new AbortController()
    const run =
      kind === 'connect' ? this.#connect(store, controller.signal) : this.#disconnect(store, controller.signal)
    const done = run.finally(() => this.#works.delete(store.id))
    this.#works.set(store.id, { kind, controller, done })
  }

  async #connect(store: CustomKeyStore, aborted: AbortSignal): Promise<void> {
    const { log, connectTimeout } = this.#means
    const tooLong = AbortSignal.timeout(connectTimeout)
    try {
      await this.#connector(store, AbortSignal.any([aborted, tooLong]))
      this.#connected.set(store.id, settingsOf(store))
      this.#refused.delete(store.id)
    } catch (thrown) {
      if (aborted.aborted) return
      const code = tooLong.aborted ? 'NETWORK_ERRORS' : codeOf(thrown)
      const fields = { event: 'key_store_connection_failed', store: store.id, code, err: thrown } as const
      log.warn(fields, 'Custom key store not connected')
      const isOther = store.state === 'CONNECTED' && !this.#isFirst
      if (isOther && final.has(code)) this.#refused.set(store.id, settingsOf(store))
      const isRetried = store.state === 'CONNECTED' && (isOther || !final.has(code))
      await (isRetried ? waited(pause, aborted) : this.#end(store.id, ['connectionFailed', code], aborted))
      return
    }
    await this.#end(store.id, ['connected'], aborted)
  }

  async #connector(store: CustomKeyStore, signal: AbortSignal): Promise<void> {
    if (store.cloudHsm) return connectKeyStoreHsm(store, store.cloudHsm, signal, this.#means)
    return this.#means.externalKeyStores.connect(store, signal)
  }

  async #disconnect(store: CustomKeyStore, aborted: AbortSignal): Promise<void> {
    const { keyStores, externalKeyStores, log } = this.#means
    try {
      if (store.xks) await externalKeyStores.disconnect(store)
      const hsm = store.cloudHsm && keyStores.hsmOf(store.cloudHsm.clusterId)
      if (hsm !== undefined) await keyStores.disconnect(hsm)
    } catch (err) {
      log.error({ event: 'key_store_disconnection_failed', store: store.id, err }, 'Custom key store not disconnected')
      await waited(pause, aborted)
      return
    }
    this.#connected.delete(store.id)
    await this.#end(store.id, ['disconnected'], aborted)
  }

  /** Commits how it ended, as soon as that can be: the work is not repeated, as the password is tried once. */
  async #end(id: string, end: End, aborted: AbortSignal): Promise<void> {
    while (!aborted.aborted && this.#isFirst) {
      try {
        return await this.#commit(id, end)
      } catch (err) {
        if (err instanceof Conflict) continue
        this.#means.log.error(
          { event: 'key_store_state_not_written', store: id, err },
          'Cannot write state of key store',
        )
        await waited(commitPause, aborted)
      }
    }
  }

  async #commit(id: string, [event, code]: End): Promise<void> {
    const { storage, audit, outbox } = this.#means
    const store = storage.customKeyStores.find(id)
    const state = store && nextState(store.state, event)
    // Disconnected or deleted meanwhile; or connected again after a restart.
    if (!store || state === undefined || state === 'DELETED' || state === store.state) return
    const changes = new Changes()
    const { fence } = this.#means.jobLease
    // Lost meanwhile: the gateway that has it now does the same.
    if (fence === undefined) return
    changes.fence = fence
    changes.put('customKeyStores', { ...store, state, connectionErrorCode: code })
    const details = {
      customKeyStoreId: id,
      customKeyStoreName: store.name,
      clusterId: store.cloudHsm?.clusterId,
      connectionErrorCode: code,
    }
    const record = audit.event(recordNames[event], undefined, details)
    const { account, region } = store
    const place = { awsRegion: region, recipientAccountId: account }
    await outbox.record(changes, { ...record, ...place, userIdentity: { ...record.userIdentity, accountId: account } })
  }
}

const recordNames = {
  connected: 'MarkCustomKeyStoreConnected',
  connectionFailed: 'MarkCustomKeyStoreFailed',
  disconnected: 'MarkCustomKeyStoreDisconnected',
} as const satisfies Partial<Record<StoreEvent, string>>

/** What a connection is made with. */
function settingsOf({ cloudHsm, xks }: CustomKeyStore): string {
  const { clusterId, sealedPassword } = cloudHsm ?? {}
  const password = sealedPassword && Buffer.from(sealedPassword).toString('base64')
  return JSON.stringify({ clusterId, password, endpoint: xks?.uriEndpoint })
}

function isConnected(state: ConnectionState): boolean {
  return state === 'CONNECTED' || state === 'CONNECTING'
}

function codeOf(thrown: unknown): ConnectionErrorCode {
  return thrown instanceof ConnectionFailure ? thrown.code : 'INTERNAL_ERROR'
}

/** Resolves after so many milliseconds, or at once if the signal aborts. */
async function waited(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal, ref: false }).catch(() => undefined)
}

/** How many stores are in each state. */
export function countStates(stores: readonly CustomKeyStore[]): Readonly<Record<ConnectionState, number>> {
  const counts = { CONNECTED: 0, CONNECTING: 0, DISCONNECTED: 0, DISCONNECTING: 0, FAILED: 0 }
  for (const { state } of stores) counts[state]++
  return counts
}
