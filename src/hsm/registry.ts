/** The connected HSMs, by name and region. They are connected and disconnected while the gateway runs. */
import { Failure } from '../errors.ts'
import { keyStoreUnavailable } from '../model/keys/custom-key-store.ts'
import { HsmClient } from './client.ts'
import type { Hsm, Hsms } from './hsm.ts'
import { Cluster, ivLengthOf } from './pool/cluster.ts'
import { Dispatcher } from './pool/dispatcher.ts'
import { KeyStoreBackend } from './pool/key-store-backend.ts'
import type { PoolOptions } from './pool/pool-options.ts'
import type { TokenAddress } from './wire/token-address.ts'

/** Options of one of several tokens with the same keys; the rest are those of the HSM. */
export type MemberOptions = Partial<TokenAddress & Pick<PoolOptions, 'pinFile' | 'pinVariable' | 'environment'>>

export interface HsmOptions extends PoolOptions {
  /** Where public-key operations are done: in the HSM, or in the gateway if OpenSSL supports them. */
  readonly publicKeyOperations: 'hsm' | 'gateway'
  /** The HSMs for which it may wrap multi-Region keys; by default none. */
  readonly transfersTo?: readonly string[] | undefined
  /** Tokens with the same keys, by a name for log and metrics. */
  readonly members?: Readonly<Record<string, MemberOptions>> | undefined
  /** Of a custom key store: see KeyStoreBackend. Its PIN is tried once, on one member after another. */
  readonly isOfKeyStore?: boolean
}

export class HsmRegistry implements Hsms {
  readonly #regions: Readonly<Record<string, string>>
  readonly #keyStoreHsms: ReadonlySet<string>
  /** Undefined while an HSM is being connected. */
  readonly #byName = new Map<string, Hsm | undefined>()
  /** The last change by name: connects and disconnects of an HSM are done in turn, as only one process may open its token. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #isClosed = false

  /**
   * @param regions the name of the HSM of each region
   * @param keyStoreHsms names of the HSMs of custom key stores
   */
  constructor(regions: Readonly<Record<string, string>>, keyStoreHsms: ReadonlySet<string> = new Set()) {
    this.#regions = regions
    this.#keyStoreHsms = keyStoreHsms
  }

  get all(): readonly Hsm[] {
    return [...this.#byName.values()].filter(hsm => hsm !== undefined)
  }

  get regional(): readonly Hsm[] {
    return this.all.filter(({ name }) => !this.#keyStoreHsms.has(name))
  }

  named(name: string): Hsm {
    const hsm = this.#byName.get(name)
    if (hsm !== undefined) return hsm
    const failure = new Failure('KeyUnavailable', '', { cause: new Error(`no HSM ${name} is connected`) })
    throw this.#keyStoreHsms.has(name) ? keyStoreUnavailable(failure) : failure
  }

  serves(region: string): boolean {
    return Object.hasOwn(this.#regions, region)
  }

  ofRegion(region: string): Hsm {
    return this.named(this.#regions[region]!)
  }

  for(caller: string, latest?: number): Hsms {
    return new CallerHsms(this, caller, latest)
  }

  /**
   * Rejects with an OperatorError if the HSM cannot be used, and with an Error if the name is taken.
   *
   * @param signal ends the attempt, which then rejects
   */
  async connect(options: HsmOptions, signal?: AbortSignal): Promise<Hsm> {
    const { name } = options
    if (this.#isClosed) throw new Error('no HSM is connected any more')
    if (this.#byName.has(name)) throw new Error(`an HSM ${name} is connected already`)
    this.#byName.set(name, undefined)
    return this.#inTurn(name, async () => {
      try {
        const hsm = await connectHsm(options, signal)
        this.#byName.set(name, hsm)
        return hsm
      } catch (error) {
        this.#byName.delete(name)
        throw error
      }
    })
  }

  /**
   * Removes the HSM at once; then finishes its calls in flight, rejects later ones with KeyUnavailable, and ends its workers. Does nothing if
   * there is no such HSM.
   */
  async disconnect(name: string): Promise<void> {
    const hsm = this.#take(name)
    await this.#inTurn(name, async () => (hsm ?? this.#take(name))?.close())
  }

  /** Disconnects all of them. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#turns.keys()].map(name => this.disconnect(name)))
  }

  #take(name: string): Hsm | undefined {
    const hsm = this.#byName.get(name)
    if (hsm !== undefined) this.#byName.delete(name)
    return hsm
  }

  #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name)?.catch(() => undefined) ?? Promise.resolve()
    const turn = before.then(work)
    this.#turns.set(name, turn)
    return turn
  }
}

/** The HSMs of a registry for one caller. */
class CallerHsms implements Hsms {
  readonly #hsms: Hsms
  readonly #caller: string
  readonly #latest: number | undefined

  constructor(hsms: Hsms, caller: string, latest: number | undefined) {
    this.#hsms = hsms
    this.#caller = caller
    this.#latest = latest
  }

  get all(): readonly Hsm[] {
    return this.#hsms.all
  }

  get regional(): readonly Hsm[] {
    return this.#hsms.regional
  }

  named(name: string): Hsm {
    return this.#hsms.named(name).for(this.#caller, this.#latest)
  }

  serves(region: string): boolean {
    return this.#hsms.serves(region)
  }

  ofRegion(region: string): Hsm {
    return this.#hsms.ofRegion(region).for(this.#caller, this.#latest)
  }

  for(caller: string, latest?: number): Hsms {
    return this.#hsms.for(caller, latest)
  }
}

/** Rejects with an OperatorError if the HSM cannot be used. @param signal ends the attempt, which then rejects */
export async function connectHsm(hsmOptions: HsmOptions, signal?: AbortSignal): Promise<Hsm> {
  signal?.throwIfAborted()
  const { publicKeyOperations, transfersTo = [], members, isOfKeyStore = false, ...own } = hsmOptions
  const options = { ...own, transfers: transfersTo.length > 0 }
  const pool =
    members === undefined
      ? new Dispatcher(options)
      : new Cluster(options.name, tokens(options, members), options.callTimeout)
  const abort = () => void pool.close()
  signal?.addEventListener('abort', abort)
  try {
    await pool.start({ inTurn: isOfKeyStore })
    signal?.throwIfAborted()
  } catch (error) {
    await pool.close()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
  const backend = isOfKeyStore ? new KeyStoreBackend(pool) : pool
  const verifies = publicKeyOperations === 'gateway'
  // Without the fallback the HSM may be unable to decrypt what the gateway encrypted, which only the worker knows.
  const outside = { verifies, encrypts: verifies && options.allowSoftwareFallback }
  return new HsmClient(backend, { outside, transfersTo })
}

/** Only the first until there is a canary key, by which the others prove that they hold the same keys. */
function tokens(options: PoolOptions, members: Readonly<Record<string, MemberOptions>>): readonly Dispatcher[] {
  const all = Object.entries(members)
  const used = options.canary?.() === undefined ? all.slice(0, 1) : all
  const tokens: readonly Dispatcher[] = used.map(([member, own]) => {
    return new Dispatcher({ ...options, ...own, name: `${options.name}/${member}`, ivLength: () => ivLengthOf(tokens) })
  })
  return tokens
}
