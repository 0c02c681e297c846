/** A lock of a session: it is free again as soon as the server has noticed that the session has ended. */
import type { Session } from './session.ts'

/** Of the advisory locks of two numbers; the other is the OID of a table, so that storages in one database do not share it. */
const jobLock = 0x53_74_72_02

export class SessionLock {
  readonly #open: () => Promise<Session>
  #session: Session | undefined

  constructor(open: () => Promise<Session>) {
    this.#open = open
  }

  /** Undefined if somebody else has it; `taken` if it may have been free since. Rejects if the server cannot be reached. */
  async take(): Promise<'taken' | 'kept' | undefined> {
    if (await this.#isKept()) return 'kept'
    const session = await this.#open()
    try {
      const { rows } = await session.query<{ taken: boolean }>(
        `select pg_try_advisory_lock(${jobLock}, 'change_number'::regclass::oid::int4) as taken`,
      )
      if (rows[0]!.taken) {
        this.#session = session
        return 'taken'
      }
    } catch (error) {
      session.abandon()
      throw error
    }
    session.abandon()
    return undefined
  }

  /** It is free once this has resolved, if the server can be reached. */
  async release(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await session?.query('select pg_advisory_unlock_all()').catch(() => {})
    session?.abandon()
  }

  async #isKept(): Promise<boolean> {
    try {
      await this.#session?.query('select 1')
    } catch {
      await this.release()
    }
    return this.#session !== undefined
  }
}
