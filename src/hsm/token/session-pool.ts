/** The sessions of one slot. */
import { Failure } from '../../errors.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'

export class SessionPool {
  readonly #cryptoki: Cryptoki
  readonly #slot: Handle
  readonly #most: number
  #idle: Handle[] = []
  #borrowed = 0
  readonly #waiting: (() => void)[] = []
  /** Raised when all sessions are abandoned: a session borrowed before that is not taken back. */
  #generation = 0

  /** @param most sessions in use at the same time; further operations wait */
  constructor(cryptoki: Cryptoki, slot: Handle, most: number) {
    this.#cryptoki = cryptoki
    this.#slot = slot
    this.#most = most
  }

  /**
   * Runs an operation in a session of its own. After an error the operation may still be active in the session, so the session is
   * closed, unless the error is a Failure, which is thrown after an operation has ended.
   */
  async run<T>(use: (session: Handle) => Promise<T>): Promise<T> {
    if (this.#borrowed < this.#most) this.#borrowed++
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    const generation = this.#generation
    let session: Handle | undefined
    try {
      session = this.#idle.pop() ?? this.#cryptoki.openSession(this.#slot)
      const result = await use(session)
      this.#giveBack(session, generation)
      return result
    } catch (error) {
      if (session !== undefined && error instanceof Failure) this.#giveBack(session, generation)
      else if (session !== undefined) this.#cryptoki.discardSession(session)
      throw error
    } finally {
      this.#letNext()
    }
  }

  /** Closes the idle sessions: if one was lost, so were the others. */
  abandon(): void {
    this.#generation++
    const idle = this.#idle
    this.#idle = []
    for (const session of idle) this.#cryptoki.discardSession(session)
  }

  #giveBack(session: Handle, generation: number): void {
    if (generation === this.#generation) this.#idle.push(session)
    else this.#cryptoki.discardSession(session)
  }

  #letNext(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#borrowed--
    else next()
  }
}
