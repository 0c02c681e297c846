/** Whether the HSM works: an encryption and decryption with the canary key tells, where return codes are ambiguous. */
import { randomBytes } from 'node:crypto'
import type { Sealed } from './gcm.ts'

/** What the canary uses: functions that report the HSM's own errors, without interpreting them by the canary. */
export interface CanaryFunctions {
  seal(object: string, plaintext: Buffer, aad: Buffer): Promise<Sealed>
  open(object: string, sealed: Sealed, aad: Buffer): Promise<Buffer>
  random(length: number): Promise<Buffer>
  /** Whether a search of the token finds the key. */
  holds(object: string): Promise<boolean>
}

const aad = Buffer.from('canary')

export class Canary {
  readonly #hsm: CanaryFunctions
  readonly #object: string | undefined
  #checking: Promise<boolean> | undefined

  /** @param object CKA_ID of the canary key; until there is one, the HSM is asked for random bytes */
  constructor(hsm: CanaryFunctions, object: string | undefined) {
    this.#hsm = hsm
    this.#object = object
  }

  /** Callers that ask at the same time share one answer. Never rejects. */
  works(): Promise<boolean> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  /** Whether a key that was not found is really missing: the same search finds the canary key, and that works. Never rejects. */
  async provesAbsence(): Promise<boolean> {
    if (this.#object === undefined) return true
    const found = await this.#hsm.holds(this.#object).catch(() => false)
    return found && this.works()
  }

  async #check(): Promise<boolean> {
    try {
      if (this.#object === undefined) return (await this.#hsm.random(16)).length === 16
      const plaintext = randomBytes(16)
      const sealed = await this.#hsm.seal(this.#object, plaintext, aad)
      return plaintext.equals(await this.#hsm.open(this.#object, sealed, aad))
    } catch {
      return false
    }
  }
}
