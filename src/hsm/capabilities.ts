/** What the token in a slot can do, as it says itself. */
import { Failure } from '../errors.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { type KeyMechanism, keyMechanisms } from './mechanisms.ts'

export class Capabilities {
  readonly #mechanisms: ReadonlySet<number>

  constructor(cryptoki: Cryptoki, slot: Handle) {
    this.#mechanisms = new Set(cryptoki.mechanisms(slot))
  }

  /** How keys of a spec are made. Throws UnsupportedOperationException when the token cannot make them. */
  keyMechanism(spec: SupportedKeySpec): KeyMechanism {
    const key = keyMechanisms[spec]
    if (key !== undefined && this.#mechanisms.has(key.generation)) return key
    const reason = key === undefined ? 'PKCS#11 has no mechanisms for it' : 'it has no mechanism that makes such keys'
    throw new Failure('UnsupportedOperationException', `Key spec ${spec} is not supported by this HSM: ${reason}.`)
  }
}
