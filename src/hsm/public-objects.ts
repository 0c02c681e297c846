/** Public keys as session objects of the token, so that it can verify and encrypt with them: made when first needed, and kept. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { type KeyMechanism, keyMechanisms } from './mechanisms.ts'
import type { PublicKeyUse } from './messages.ts'
import { publicKeyAttributes } from './public-keys.ts'
import { publicKeyTemplate } from './templates.ts'

/** They take up memory of the token. */
const most = 256

export class PublicObjects {
  readonly #cryptoki: Cryptoki
  /** Lives as long as they do. */
  readonly #session: Handle
  /** By material id, the oldest first. */
  readonly #handles = new Map<string, Handle>()

  constructor(cryptoki: Cryptoki, session: Handle) {
    this.#cryptoki = cryptoki
    this.#session = session
  }

  find({ material, spec, publicKey }: PublicKeyUse, usage: KeyUsageType): Handle {
    const known = this.#handles.get(material)
    if (known !== undefined) return known
    if (this.#handles.size === most) this.#destroyOldest()
    const handle = this.#cryptoki.createObject(this.#session, template(keyMechanisms[spec]!, publicKey, usage))
    this.#handles.set(material, handle)
    return handle
  }

  forget(material: string): void {
    this.#handles.delete(material)
  }

  #destroyOldest(): void {
    const [material, handle] = this.#handles.entries().next().value!
    this.#handles.delete(material)
    this.#cryptoki.destroyObject(this.#session, handle)
  }
}

function template(mechanism: KeyMechanism, publicKey: Buffer, usage: KeyUsageType) {
  return [...publicKeyTemplate({ ...mechanism, parameters: [] }, usage), ...publicKeyAttributes(mechanism, publicKey)]
}
