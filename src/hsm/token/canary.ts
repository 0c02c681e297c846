/** Whether the HSM works, asked of the HSM: return codes alone do not tell. */
import { randomBytes } from 'node:crypto'
import type { Sealed } from './gcm.ts'

/** What the canary is tried with: functions that say what the HSM said, and do not ask the canary. */
export interface CanaryFunctions {
  seal(material: string, plaintext: Buffer, aad: Buffer): Promise<Sealed>
  open(material: string, sealed: Sealed, aad: Buffer): Promise<Buffer>
  random(length: number): Promise<Buffer>
  /** Whether a search of the token finds the key. */
  holds(material: string): Promise<boolean>
}

const aad = Buffer.from('canary')

export class Canary {
  readonly #hsm: CanaryFunctions
  readonly #material: string | undefined
  #singing: Promise<boolean> | undefined

  /** @param material of an AES key that is there for this; before there is one, the HSM is asked for random bytes */
  constructor(hsm: CanaryFunctions, material: string | undefined) {
    this.#hsm = hsm
    this.#material = material
  }

  /** One answer serves all who ask at the same time. */
  sings(): Promise<boolean> {
    this.#singing ??= this.#sing().finally(() => {
      this.#singing = undefined
    })
    return this.#singing
  }

  /** Whether a key that was not found is not there: the same search finds the canary key, and that works. Never rejects. */
  async provesAbsence(): Promise<boolean> {
    if (this.#material === undefined) return true
    const found = await this.#hsm.holds(this.#material).catch(() => false)
    return found && this.sings()
  }

  async #sing(): Promise<boolean> {
    try {
      if (this.#material === undefined) return (await this.#hsm.random(16)).length === 16
      const song = randomBytes(16)
      const sealed = await this.#hsm.seal(this.#material, song, aad)
      return song.equals(await this.#hsm.open(this.#material, sealed, aad))
    } catch {
      return false
    }
  }
}
