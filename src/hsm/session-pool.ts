/** Sessions of one slot: borrowed, used and given back or discarded in one function. */
import { Failure } from '../errors.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'

export class SessionPool {
  readonly #cryptoki: Cryptoki
  readonly #slot: Handle
  readonly #idle: Handle[] = []

  constructor(cryptoki: Cryptoki, slot: Handle) {
    this.#cryptoki = cryptoki
    this.#slot = slot
  }

  /**
   * Runs one operation in a session that nobody else uses. An error may leave the operation active, which spoils the session
   * for the next one, so the session is closed; only a Failure says that the operation ended as it should.
   */
  run<T>(use: (session: Handle) => T): T {
    const session = this.#idle.pop() ?? this.#cryptoki.openSession(this.#slot)
    try {
      const result = use(session)
      this.#idle.push(session)
      return result
    } catch (error) {
      if (error instanceof Failure) this.#idle.push(session)
      else this.#discard(session)
      throw error
    }
  }

  /** The same for an operation that awaits. */
  async runAwaiting<T>(use: (session: Handle) => Promise<T>): Promise<T> {
    const session = this.#idle.pop() ?? this.#cryptoki.openSession(this.#slot)
    try {
      const result = await use(session)
      this.#idle.push(session)
      return result
    } catch (error) {
      if (error instanceof Failure) this.#idle.push(session)
      else this.#discard(session)
      throw error
    }
  }

  #discard(session: Handle): void {
    try {
      this.#cryptoki.closeSession(session)
    } catch {
      // It is gone already.
    }
  }
}
