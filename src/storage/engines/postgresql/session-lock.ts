/** A lock of a session: it is free again as soon as the server has noticed that the session has ended. */
import { setTimeout as sleep } from 'node:timers/promises'
import { goodbye, type Session } from './session.ts'

/** Of the advisory locks of two numbers; the other is the OID of a table, so that storages in one database do not share it. */
const jobLock = 0x53_74_72_02

export class SessionLock {
  readonly #open: () => Promise<Session>
  /** Kept while somebody else has the lock, too: this is asked every second. */
  #session: Session | undefined
  #isHeld = false

  constructor(open: () => Promise<Session>) {
    this.#open = open
  }

  /**
   * Undefined if somebody else has it; `taken` if it may have been free since. Rejects if the server cannot be reached. One call at a time.
   */
  async take(): Promise<'taken' | 'kept' | undefined> {
    if (this.#isHeld && (await this.#isKept())) return 'kept'
    this.#session ??= await this.#open()
    try {
      const { rows } = await this.#session.query<{ taken: boolean }>(
        `select pg_try_advisory_lock(${jobLock}, 'change_number'::regclass::oid::int4) as taken`,
      )
      this.#isHeld = rows[0]!.taken
      return this.#isHeld ? 'taken' : undefined
    } catch (error) {
      this.#abandon()
      throw error
    }
  }

  /** It is free once this has resolved, if the server answers: the end of the session frees it, too. */
  async release(): Promise<void> {
    const released = this.#session?.query('select pg_advisory_unlock_all()').catch(() => {})
    if (released) await Promise.race([released, sleep(goodbye, undefined, { ref: false })])
    this.#abandon()
  }

  async #isKept(): Promise<boolean> {
    try {
      await this.#session!.query('select 1')
      return true
    } catch {
      this.#abandon()
      return false
    }
  }

  #abandon(): void {
    this.#session?.abandon()
    this.#session = undefined
    this.#isHeld = false
  }
}
