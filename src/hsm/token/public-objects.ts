/** Public keys as session objects, for verification and encryption on the token: created on first use, and kept. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import type { PublicKeyUse } from '../wire/calls.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { type KeyMechanism, keyMechanisms } from './mechanisms.ts'
import { publicKeyAttributes } from './public-keys.ts'
import { publicKeyTemplate } from './templates.ts'

/** They take up memory of the token. */
const most = 256

export class PublicObjects {
  readonly #cryptoki: Cryptoki
  readonly #slot: Handle
  /** The session of the objects. */
  #session: Handle | undefined
  /** By object id, the oldest first. */
  readonly #handles = new Map<string, Handle>()

  constructor(cryptoki: Cryptoki, slot: Handle) {
    this.#cryptoki = cryptoki
    this.#slot = slot
  }

  find({ object, spec, publicKey }: PublicKeyUse, usage: KeyUsageType): Handle {
    const known = this.#handles.get(object)
    if (known !== undefined) return known
    this.#session ??= this.#cryptoki.openSession(this.#slot)
    if (this.#handles.size === most) this.#destroyOldest(this.#session)
    const handle = this.#cryptoki.createObject(this.#session, template(keyMechanisms[spec]!, publicKey, usage))
    this.#handles.set(object, handle)
    return handle
  }

  /** Forgets all objects, and closes their session. */
  clear(): void {
    this.#handles.clear()
    if (this.#session === undefined) return
    this.#cryptoki.discardSession(this.#session)
    this.#session = undefined
  }

  #destroyOldest(session: Handle): void {
    const [object, handle] = this.#handles.entries().next().value!
    this.#handles.delete(object)
    this.#cryptoki.destroyObject(session, handle)
  }
}

function template(mechanism: KeyMechanism, publicKey: Buffer, usage: KeyUsageType) {
  return [...publicKeyTemplate({ ...mechanism, parameters: [] }, usage), ...publicKeyAttributes(mechanism, publicKey)]
}
