/** The calls that put keys on the token: generated there, or brought from outside. */
import { checkAbilities } from '../../model/keys/ability.ts'
import type { CreatedKey } from '../hsm.ts'
import type { Profile } from '../profiles/profile.ts'
import type { CallContext, RequestOf } from '../wire/calls.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import type { BadInput } from './bad-input.ts'
import { keyMechanism } from './capabilities.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { type Generation, generateObject } from './key-generation.ts'
import { KeyImporter } from './key-import.ts'
import { checkImportable, readKeyMaterial } from './key-material.ts'
import { KeyUnwrapper } from './key-unwrapping.ts'
import type { Keys } from './keys.ts'
import type { Keeping } from './templates.ts'

export interface NewKeysOptions {
  readonly cryptoki: Cryptoki
  readonly slot: Handle
  readonly profile: Profile
  readonly capabilities: Capabilities
  readonly keys: Keys
  readonly badInput: BadInput
  /** Whether a worker may see key material that the token cannot unwrap. */
  readonly bridges: boolean
}

type Retry = Pick<CallContext<'generateKey'>, 'isRetry'>
type Transferable = Partial<Pick<RequestOf<'receiveKey'>, 'wrapWithTrusted'>>

export class NewKeys {
  readonly #options: NewKeysOptions
  readonly #importer: KeyImporter
  readonly #unwrapper: KeyUnwrapper

  constructor(options: NewKeysOptions) {
    const { cryptoki, slot, profile, capabilities, bridges } = options
    this.#options = options
    this.#importer = new KeyImporter(cryptoki, slot, profile, capabilities)
    this.#unwrapper = new KeyUnwrapper({ cryptoki, slot, profile, capabilities, importer: this.#importer, bridges })
  }

  /** Rejects with UnsupportedOperation if the token does not support keys of the spec. */
  async generate(request: RequestOf<'generateKey'>, retry: Retry): Promise<CreatedKey> {
    const { object, spec, usage, label, wrapWithTrusted } = request
    const mechanism = keyMechanism(this.#options.capabilities, spec, usage)
    const keeping = this.#keeping(object, label, wrapWithTrusted)
    return this.#generate(object, { spec, mechanism, usage, keeping }, retry)
  }

  generateWrapping({ object, spec, label, wraps }: RequestOf<'createWrappingKey'>, retry: Retry): Promise<CreatedKey> {
    const mechanism = keyMechanism(this.#options.capabilities, spec, 'ENCRYPT_DECRYPT')
    const usage = wraps !== undefined && this.#unwrapper.needsDecryption(wraps) ? 'UNWRAP_DECRYPT' : 'UNWRAP'
    return this.#generate(object, { spec, mechanism, usage, keeping: this.#keeping(object, label) }, retry)
  }

  #generate(
    object: string,
    wanted: Pick<Generation, 'spec' | 'mechanism' | 'usage' | 'keeping'>,
    { isRetry }: Retry,
  ): Promise<CreatedKey> {
    const { cryptoki, capabilities, keys } = this.#options
    return keys.create(object, isRetry, async session => {
      const { key, ...result } = await generateObject({ cryptoki, session, capabilities, ...wanted })
      return { key, result }
    })
  }

  /** Rejects with IncorrectKeyMaterial before it uses the token. */
  async import({ object, spec, usage, label, bytes }: RequestOf<'importKey'>, { isRetry }: Retry): Promise<CreatedKey> {
    const mechanism = keyMechanism(this.#options.capabilities, spec, usage)
    const material = readKeyMaterial(spec, mechanism, bytes)
    const keeping = this.#keeping(object, label)
    try {
      return await this.#options.keys.create(object, isRetry, async (_session, destroyAll) => {
        const wanted = { spec, mechanism, usage, keeping, material }
        const { key, way: _way, ...result } = await this.#importer.import(wanted, destroyAll)
        return { key, result }
      })
    } finally {
      material.wrapped.fill(0)
    }
  }

  /** As unwrap, but never with the help of a worker. */
  async receive(request: RequestOf<'receiveKey'>, retry: Retry): Promise<CreatedKey> {
    this.#unwrapper.requireAlone(request.spec, request.algorithm)
    return this.unwrap(request, retry)
  }

  async unwrap(
    { object, spec, usage, label, wrappingKey, wrapWithTrusted, ...wrapped }: RequestOf<'unwrapKey'> & Transferable,
    { isRetry }: Retry,
  ): Promise<CreatedKey> {
    const { capabilities, keys, badInput } = this.#options
    const mechanism = keyMechanism(capabilities, spec, usage)
    checkImportable(spec, mechanism)
    const wanted = { spec, mechanism, usage, keeping: this.#keeping(object, label, wrapWithTrusted), wrapped }
    return badInput.unwrapped(() =>
      keys.createFrom(wrappingKey, object, isRetry, async (unwrapping, destroyAll) => {
        const { key, ...result } = await this.#unwrapper.unwrap(unwrapping, wanted, destroyAll)
        return { key, result }
      }),
    )
  }

  /** Throws UnsupportedOperation if the token would let any key wrap what only trusted keys may. */
  #keeping(object: string, label: string, wrapWithTrusted = false): Keeping {
    const { capabilities, profile } = this.#options
    if (wrapWithTrusted) checkAbilities(ability => capabilities.lacks[ability], ['WrapWithTrusted'])
    return { id: Buffer.from(object, 'hex'), label, profile, wrapWithTrusted }
  }
}
