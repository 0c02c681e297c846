/** Runs operations with a session and the handle of a key, and recovers from what a worker can recover from by itself. */
import { Failure } from '../../errors.ts'
import type { HsmObject, InspectionDepth } from '../hsm.ts'
import { type Recovery, recoveryFrom } from '../return-codes.ts'
import type { Connection } from './connection.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { KeyHandles } from './key-handles.ts'
import { SessionPool } from './session-pool.ts'
import type { KeyInUse } from './steps.ts'

export class Keys {
  readonly #connection: Connection
  readonly #cryptoki: Cryptoki
  readonly #sessions: SessionPool
  readonly #handles: KeyHandles

  /** @param sessions that are in use at the same time */
  constructor(connection: Connection, sessions: number) {
    this.#connection = connection
    this.#cryptoki = connection.cryptoki
    this.#sessions = new SessionPool(connection.cryptoki, connection.slot, sessions)
    this.#handles = new KeyHandles(connection.cryptoki)
  }

  /** Looks up every key on the token, while calls are served. */
  index(): Promise<void> {
    return this.#handles.index(this.#connection.session)
  }

  /** Runs an operation with a key; it must be safe to repeat. Rejects with InvalidState if the token does not hold the key. */
  use<T>(object: string, operation: (key: KeyInUse) => Promise<T>): Promise<T> {
    const cryptoki = this.#cryptoki
    return this.#recovering(
      async session => operation({ cryptoki, session, key: await this.#handles.find(session, object) }),
      () => this.#handles.forget(object),
    )
  }

  /** Runs an operation that needs a session but no key; it must be safe to repeat. */
  run<T>(operation: (session: Handle) => Promise<T>, forget?: () => void): Promise<T> {
    return this.#recovering(operation, forget)
  }

  /**
   * Creates a key object. After an error it may exist all the same, so before a retry every object with its CKA_ID is destroyed: nobody
   * else has been told that CKA_ID.
   *
   * @param isRetry a worker may have done it already
   * @param operation may destroy every object with the CKA_ID too, before it tries again
   */
  create<T>(
    object: string,
    isRetry: boolean,
    operation: (
      session: Handle,
      destroyAll: () => Promise<void>,
    ) => Promise<{ readonly key: Handle; readonly result: T }>,
    forget?: () => void,
  ): Promise<T> {
    let mayExist = isRetry
    return this.#recovering(async session => {
      if (mayExist) await this.#destroyAll(session, object)
      mayExist = true
      const { key, result } = await operation(session, () => this.#destroyAll(session, object))
      this.#handles.add(object, key)
      return result
    }, forget)
  }

  /** The same with the handle of another key, of which it is made. Rejects with InvalidState if the token does not hold that one. */
  createFrom<T>(
    source: string,
    object: string,
    isRetry: boolean,
    operation: (
      source: Handle,
      destroyAll: () => Promise<void>,
    ) => Promise<{ readonly key: Handle; readonly result: T }>,
  ): Promise<T> {
    return this.create(
      object,
      isRetry,
      async (session, destroyAll) => operation(await this.#handles.find(session, source), destroyAll),
      () => this.#handles.forget(source),
    )
  }

  /** Inspects the objects of a key: see KeyHandles.findAll. */
  inspect<T>(
    object: string,
    depth: InspectionDepth,
    inspection: (session: Handle, found: readonly Handle[]) => Promise<T>,
  ): Promise<T> {
    return this.#recovering(
      async session => inspection(session, await this.#handles.findAll(session, object, depth)),
      () => this.#handles.forget(object),
    )
  }

  /** Destroys every key object with that CKA_ID. Rejects if a new search still finds one. */
  destroy(object: string): Promise<void> {
    return this.#recovering(session => this.#destroyAll(session, object))
  }

  async #destroyAll(session: Handle, object: string): Promise<void> {
    this.#handles.forget(object)
    const found = await this.#handles.search(session, object)
    for (const key of found) this.#cryptoki.destroyObject(session, key)
    this.#handles.forget(object)
    if (found.length === 0 || (await this.#handles.search(session, object)).length === 0) return
    throw new Failure('Internal', '', { cause: new Error('C_DestroyObject succeeded, but the token has the object') })
  }

  /** Whether a search of the token finds a key with that CKA_ID. */
  async holds(object: string): Promise<boolean> {
    const found = await this.#recovering(session => this.#handles.search(session, object))
    return found.length > 0
  }

  /** Reports every key object on the token, a few at a time; starts again if the session is lost. */
  list(page: (objects: readonly HsmObject[]) => void): Promise<void> {
    return this.#recovering(session => this.#handles.list(session, page))
  }

  /** Forgets all sessions and handles: the token may have given their numbers to others. */
  forget(): void {
    this.#sessions.abandon()
    this.#handles.clear()
  }

  logIn(): void {
    this.#connection.logIn()
  }

  /** Tries each recovery once. @param forget makes the operation look up its object again */
  async #recovering<T>(
    operation: (session: Handle) => Promise<T>,
    forget?: () => void,
    tried: readonly Recovery[] = [],
  ): Promise<T> {
    try {
      return await this.#sessions.run(operation)
    } catch (error) {
      const recovery = recoveryFrom(error)
      if (tried.includes(recovery)) throw error
      if (recovery === 'new session') {
        this.#sessions.abandon()
        this.#connection.keepSession()
      } else if (recovery !== 'find again') throw error
      forget?.()
      return this.#recovering(operation, forget, [...tried, recovery])
    }
  }
}
