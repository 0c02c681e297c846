/** Callers that use an HSM without pause and record the answers. */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { vi } from 'vitest'
import { Failure } from '../../src/errors.ts'
import type { Hsm, Sealed } from '../../src/hsm/hsm.ts'

/** A ciphertext that must decrypt later, whatever happens meanwhile. */
interface Kept {
  readonly text: Buffer
  readonly sealed: Sealed
}

export interface Refusal {
  readonly code: string
  /** Milliseconds from the call to its refusal. */
  readonly after: number
  /** When: performance.now(). */
  readonly at: number
}

const aad = Buffer.from('callers')

export class Callers {
  readonly refusals: Refusal[] = []
  /** Answers that were wrong: a plaintext that is another than was encrypted. */
  readonly wrong: string[] = []
  /** Milliseconds that the slowest answer took, refusals included. */
  longest = 0
  /** Calls that succeeded. */
  done = 0
  /** The latest ciphertexts. */
  readonly kept: Kept[] = []
  readonly #hsm: Hsm
  readonly #object: string
  readonly #running: Promise<void>[]
  #ended = false

  /** @param count of callers, each of which encrypts, decrypts, and starts again */
  constructor(hsm: Hsm, object: string, count = 32) {
    this.#hsm = hsm
    this.#object = object
    this.#running = Array.from({ length: count }, () => this.#call())
  }

  /** Rejects if a caller stopped, which only happens for an error that is not a Failure. */
  async end(): Promise<void> {
    this.#ended = true
    await Promise.all(this.#running)
  }

  /** Every ciphertext that is kept still opens to what was sealed. Returns how many do not. */
  async unopened(hsm = this.#hsm): Promise<number> {
    const opened = await Promise.all(
      this.kept.map(({ sealed }) => hsm.decrypt(this.#object, sealed, aad).catch(() => undefined)),
    )
    return opened.filter((text, i) => text === undefined || !this.kept[i]!.text.equals(text)).length
  }

  /** Resolves when so many further calls have succeeded. Rejects after ten seconds. */
  async more(count = 200): Promise<void> {
    const enough = this.done + count
    await vi.waitUntil(() => this.done >= enough, { timeout: 10_000, interval: 5 })
  }

  /** Successful calls a second over so many milliseconds from now on. */
  async rate(milliseconds: number): Promise<number> {
    const [before, start] = [this.done, performance.now()]
    await new Promise(resolve => setTimeout(resolve, milliseconds))
    return ((this.done - before) * 1000) / (performance.now() - start)
  }

  async #call(): Promise<void> {
    while (!this.#ended) {
      const text = randomBytes(24)
      const sealed = await this.#attempt(() => this.#hsm.encrypt(this.#object, text, aad))
      if (sealed === undefined) continue
      if (this.kept.length < 500) this.kept.push({ text, sealed })
      else this.kept[this.done % 500] = { text, sealed }
      const opened = await this.#attempt(() => this.#hsm.decrypt(this.#object, sealed, aad))
      if (opened !== undefined && !text.equals(opened)) this.wrong.push(Buffer.from(opened).toString('hex'))
    }
  }

  async #attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
    const start = performance.now()
    try {
      const result = await call()
      this.done++
      return result
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      this.refusals.push({ code: error.code, after: performance.now() - start, at: performance.now() })
      // Whoever is refused at once would do nothing else any more.
      await new Promise(resolve => setTimeout(resolve, 5))
      return undefined
    } finally {
      this.longest = Math.max(this.longest, performance.now() - start)
    }
  }
}
