import type { Hsm } from '../services.ts'

/** What a job remembers about each HSM, for as long as that is connected. */
export class PerHsm<T> {
  readonly #create: (hsm: Hsm) => T
  #known: ReadonlyMap<Hsm, T> = new Map()

  /** @param create what is remembered of an HSM at first */
  constructor(create: (hsm: Hsm) => T) {
    this.#create = create
  }

  /** @param hsms that are connected now */
  of(hsms: readonly Hsm[]): readonly T[] {
    this.#known = new Map(hsms.map(hsm => [hsm, this.#known.get(hsm) ?? this.#create(hsm)]))
    return [...this.#known.values()]
  }
}
