import { isUnavailable } from '../../errors.ts'
import type { Ability } from '../../model/keys/ability.ts'
import { keyStoreUnavailable } from '../../model/keys/custom-key-store.ts'
import type { HsmHealth } from '../hsm.ts'
import type { CallName } from '../wire/calls.ts'
import type { Backend, CallOptions } from './backend.ts'

/** The HSM of a custom key store. While it cannot be reached its calls fail as those of KMS do, which is no fault of the gateway. */
export class KeyStoreBackend implements Backend {
  readonly #pool: Backend

  constructor(pool: Backend) {
    this.#pool = pool
  }

  get name(): string {
    return this.#pool.name
  }

  get ivLength(): number {
    return this.#pool.ivLength
  }

  get health(): HsmHealth {
    return this.#pool.health
  }

  get pending(): number {
    return this.#pool.pending
  }

  get isWhole(): boolean {
    return this.#pool.isWhole
  }

  whyUnsupported(ability: Ability): string | undefined {
    return this.#pool.whyUnsupported(ability)
  }

  call(name: CallName, payload: Buffer, caller: string, options?: CallOptions): Promise<Buffer> {
    return this.#pool.call(name, payload, caller, options).catch(translated)
  }

  callEach(...call: Parameters<Backend['callEach']>): Promise<readonly Buffer[]> {
    return this.#pool.callEach(...call).catch(translated)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}

function translated(thrown: unknown): never {
  throw isUnavailable(thrown) ? keyStoreUnavailable(thrown) : thrown
}
