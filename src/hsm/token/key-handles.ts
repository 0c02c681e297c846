/** Handles of the key objects on the token, by CKA_ID: looked up once, so that operations need no search. */
import pkcs11js from 'pkcs11js'
import { Failure } from '../../errors.ts'
import type { HsmObject, InspectionDepth } from '../hsm.ts'
import { CryptokiError, recoveryFrom, returnCodes } from '../return-codes.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { inSlices, nextTurn } from './slices.ts'

const keyClasses = [pkcs11js.CKO_SECRET_KEY, pkcs11js.CKO_PRIVATE_KEY]

export function notFound(): Failure {
  return new Failure('InvalidState', 'The HSM does not have the key material.')
}

const [CKR_USER_NOT_LOGGED_IN] = returnCodes.CKR_USER_NOT_LOGGED_IN

export class KeyHandles {
  readonly #cryptoki: Cryptoki
  readonly #handles = new Map<string, Handle>()
  #indexing: Promise<void> | undefined

  constructor(cryptoki: Cryptoki) {
    this.#cryptoki = cryptoki
  }

  /** Looks up every key on the token, while the worker serves calls. Never rejects: keys that it misses are searched for later. */
  index(session: Handle): Promise<void> {
    this.#indexing ??= this.#index(session)
      .catch(() => undefined)
      .finally(() => (this.#indexing = undefined))
    return this.#indexing
  }

  async #index(session: Handle): Promise<void> {
    await inSlices(await this.walk(session), handle => {
      const id = this.#unlessGone(() => this.#id(session, handle))
      if (id !== undefined && !this.#handles.has(id)) this.#handles.set(id, handle)
    })
  }

  /**
   * Searches for a key without a known handle, as another worker may have created it. Rejects with InvalidState if there is none.
   */
  async find(session: Handle, object: string): Promise<Handle> {
    if (!this.#handles.has(object)) await this.#indexing
    const known = this.#handles.get(object)
    if (known !== undefined) return known
    const [found] = await this.search(session, object)
    if (found === undefined) throw notFound()
    this.#handles.set(object, found)
    return found
  }

  /** Every key object with that CKA_ID: a linear search on the token. */
  search(session: Handle, object: string): Promise<readonly Handle[]> {
    return this.#search(session, [[pkcs11js.CKA_ID, Buffer.from(object, 'hex')]])
  }

  /**
   * Every object with that CKA_ID. A quick inspection reads the CKA_ID of the object in use, and searches only if it is another one.
   * Afterwards the known handle is right.
   */
  async findAll(session: Handle, object: string, depth: InspectionDepth): Promise<readonly Handle[]> {
    if (depth === 'quick' && !this.#handles.has(object)) await this.#indexing
    const known = this.#handles.get(object)
    if (depth === 'quick' && known !== undefined) {
      const id = this.#unlessGone(() => this.#id(session, known))
      if (id === object) return [known]
    }
    const found = await this.search(session, object)
    if (found.length === 1) this.add(object, found[0]!)
    else if (known !== undefined && !found.some(handle => handle.equals(known))) this.forget(object)
    return found
  }

  add(object: string, handle: Handle): void {
    this.#handles.set(object, handle)
  }

  forget(object: string): void {
    this.#handles.delete(object)
  }

  clear(): void {
    this.#handles.clear()
  }

  /** Reports every key object on the token, a few at a time. */
  async list(session: Handle, page: (objects: readonly HsmObject[]) => void): Promise<void> {
    let objects: HsmObject[] = []
    const read = (handle: Handle) =>
      this.#unlessGone(() => ({
        id: this.#id(session, handle),
        label: this.#cryptoki.attribute(session, handle, pkcs11js.CKA_LABEL).toString(),
      }))
    const take = (handle: Handle) => {
      const object = read(handle)
      if (object !== undefined) objects.push(object)
    }
    await inSlices(await this.walk(session), take, () => {
      page(objects)
      objects = []
    })
  }

  /** Every key object on the token. */
  walk(session: Handle): Promise<readonly Handle[]> {
    return this.#search(session, [])
  }

  /**
   * Without a login private objects are not found, which looks as if they did not exist. So the login is checked before the search, and
   * again if nothing is found.
   */
  async #search(session: Handle, template: readonly (readonly [number, Buffer])[]): Promise<readonly Handle[]> {
    const found: Handle[] = []
    this.#checkLogin(session)
    for (const [index, keyClass] of keyClasses.entries()) {
      if (index > 0) await nextTurn()
      found.push(...this.#cryptoki.findObjects(session, [[pkcs11js.CKA_CLASS, keyClass], ...template]))
    }
    if (found.length === 0) this.#checkLogin(session)
    return found
  }

  #checkLogin(session: Handle): void {
    if (!this.#cryptoki.isLoggedIn(session)) throw new CryptokiError('C_FindObjects', CKR_USER_NOT_LOGGED_IN)
  }

  /** Undefined for an object that was destroyed since its handle was found. */
  #unlessGone<T>(read: () => T): T | undefined {
    try {
      return this.#cryptoki.together(read)
    } catch (error) {
      if (recoveryFrom(error) === 'find again') return undefined
      throw error
    }
  }

  #id(session: Handle, handle: Handle): string {
    return this.#cryptoki.attribute(session, handle, pkcs11js.CKA_ID).toString('hex')
  }
}
