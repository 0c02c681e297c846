/** The keys of the token in use: a session for each operation, the handle of its key, and the recoveries that a worker can do. */
import type { Connection } from './connection.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import type { HsmObject } from './hsm.ts'
import { KeyHandles } from './key-handles.ts'
import { recoveryFrom } from './return-codes.ts'
import { SessionPool } from './session-pool.ts'

export class Keys {
  readonly #cryptoki: Cryptoki
  readonly #sessions: SessionPool
  readonly #handles: KeyHandles

  constructor({ cryptoki, slot, session }: Connection) {
    this.#cryptoki = cryptoki
    this.#sessions = new SessionPool(cryptoki, slot)
    this.#handles = new KeyHandles(cryptoki)
    this.#handles.load(session)
  }

  /** Uses a key in a way that is safe to repeat. Throws KMSInvalidStateException when the token does not hold it. */
  use<T>(material: string, operation: (session: Handle, key: Handle) => T): T {
    return this.#repeated(
      session => operation(session, this.#handles.find(session, material)),
      () => this.#handles.forget(material),
    )
  }

  /** What needs a session but no key, and is safe to repeat. */
  run<T>(operation: (session: Handle) => T): T {
    return this.#repeated(operation)
  }

  /** Not repeated: an error does not prove that nothing was created. */
  create<T>(
    material: string,
    operation: (session: Handle) => Promise<{ readonly key: Handle; readonly result: T }>,
  ): Promise<T> {
    return this.#sessions.runAwaiting(async session => {
      const { key, result } = await operation(session)
      this.#handles.add(material, key)
      return result
    })
  }

  /** Looks at the objects of a key: see KeyHandles.look. */
  async inspect<T>(
    material: string,
    look: 'quick' | 'thorough',
    inspection: (session: Handle, found: readonly Handle[]) => Promise<T>,
  ): Promise<T> {
    const run = () =>
      this.#sessions.runAwaiting(async session =>
        inspection(session, await this.#handles.look(session, material, look)),
      )
    try {
      return await run()
    } catch (error) {
      const recovery = recoveryFrom(error)
      if (recovery === 'find again') this.#handles.forget(material)
      else if (recovery !== 'new session') throw error
      return run()
    }
  }

  /** Destroys every key object with that CKA_ID. */
  destroy(material: string): void {
    this.#handles.forget(material)
    this.#sessions.run(session => {
      for (const key of this.#handles.search(session, material)) {
        try {
          this.#cryptoki.destroyObject(session, key)
        } catch (error) {
          // Another worker was faster.
          if (recoveryFrom(error) !== 'find again') throw error
        }
      }
    })
  }

  objects(): readonly HsmObject[] {
    return this.#repeated(session => this.#handles.objects(session))
  }

  /** Once more when the session was lost, or when `forget` made it look for its object again. */
  #repeated<T>(operation: (session: Handle) => T, forget?: () => void): T {
    try {
      return this.#sessions.run(operation)
    } catch (error) {
      const recovery = recoveryFrom(error)
      if (recovery === 'find again') forget?.()
      else if (recovery !== 'new session') throw error
      return this.#sessions.run(operation)
    }
  }
}
