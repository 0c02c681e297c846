/** The HSMs of the gateway, which are connected and disconnected while it runs; and the way from the configuration of one to it. */
import { Failure } from '../errors.ts'
import { HsmClient } from './client.ts'
import type { Hsm, Hsms } from './hsm.ts'
import { Cluster, ivLengthOf } from './pool/cluster.ts'
import { Dispatcher } from './pool/dispatcher.ts'
import type { PoolOptions } from './pool/pool-options.ts'
import type { TokenAddress } from './wire/token-address.ts'

/** What one of several tokens with the same keys has to itself; the rest is that of the HSM. */
export type MemberOptions = Partial<TokenAddress & Pick<PoolOptions, 'pinFile' | 'pinVariable' | 'environment'>>

export interface HsmOptions extends PoolOptions {
  /** Where a public key is used: in the HSM, or outside, for what OpenSSL can do with it. */
  readonly publicKeyOperations: 'hsm' | 'gateway'
  /** Tokens that hold the same keys, by a name for the log and the metrics: one HSM to all who use it. */
  readonly members?: Readonly<Record<string, MemberOptions>> | undefined
}

export class HsmRegistry implements Hsms {
  readonly #regions: Readonly<Record<string, string>>
  /** In the order in which they were asked for; undefined while one is being connected. */
  readonly #byName = new Map<string, Hsm | undefined>()
  /** By name: what is done to an HSM is done one after another, as its token may bear only one process. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #isClosed = false

  /** @param regions the name of the HSM of each region */
  constructor(regions: Readonly<Record<string, string>>) {
    this.#regions = regions
  }

  get all(): readonly Hsm[] {
    return [...this.#byName.values()].filter(hsm => hsm !== undefined)
  }

  named(name: string): Hsm {
    const hsm = this.#byName.get(name)
    if (hsm !== undefined) return hsm
    throw new Failure('KeyUnavailable', '', { cause: new Error(`no HSM ${name} is connected`) })
  }

  ofRegion(region: string): Hsm {
    return this.named(this.#regions[region]!)
  }

  for(caller: string): Hsms {
    return new CallerHsms(this, caller)
  }

  /** Rejects with an OperatorError of one line when the HSM cannot be used, and with an Error when there is one of that name. */
  async connect(options: HsmOptions): Promise<Hsm> {
    const { name } = options
    if (this.#isClosed) throw new Error('no HSM is connected any more')
    if (this.#byName.has(name)) throw new Error(`an HSM ${name} is connected already`)
    this.#byName.set(name, undefined)
    return this.#inTurn(name, async () => {
      try {
        const hsm = await connectHsm(options)
        this.#byName.set(name, hsm)
        return hsm
      } catch (error) {
        this.#byName.delete(name)
        throw error
      }
    })
  }

  /**
   * Nobody finds the HSM any more. Its calls in flight are finished, later ones reject with KeyUnavailable, and its workers end. Does nothing
   * for an HSM that is not connected.
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

  constructor(hsms: Hsms, caller: string) {
    this.#hsms = hsms
    this.#caller = caller
  }

  get all(): readonly Hsm[] {
    return this.#hsms.all
  }

  named(name: string): Hsm {
    return this.#hsms.named(name).for(this.#caller)
  }

  ofRegion(region: string): Hsm {
    return this.#hsms.ofRegion(region).for(this.#caller)
  }

  for(caller: string): Hsms {
    return this.#hsms.for(caller)
  }
}

/** Rejects with an OperatorError of one line when the HSM cannot be used. */
export async function connectHsm({ publicKeyOperations, members, ...options }: HsmOptions): Promise<Hsm> {
  const backend =
    members === undefined
      ? new Dispatcher(options)
      : new Cluster(options.name, tokens(options, members), options.callTimeout)
  try {
    await backend.start()
  } catch (error) {
    await backend.close()
    throw error
  }
  const verifies = publicKeyOperations === 'gateway'
  // Without the fallback the HSM may be unable to decrypt what the gateway encrypted: only the worker knows.
  return new HsmClient(backend, { verifies, encrypts: verifies && options.allowSoftwareFallback })
}

/** Before there is a canary key, no token can prove that it holds the keys of the others: only the first is used. */
function tokens(options: PoolOptions, members: Readonly<Record<string, MemberOptions>>): readonly Dispatcher[] {
  const all = Object.entries(members)
  const used = options.canary?.() === undefined ? all.slice(0, 1) : all
  const tokens: readonly Dispatcher[] = used.map(([member, own]) => {
    return new Dispatcher({ ...options, ...own, name: `${options.name}/${member}`, ivLength: () => ivLengthOf(tokens) })
  })
  return tokens
}
