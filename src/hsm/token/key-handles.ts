/** Handles of the key objects on the token, by material id: found once, so that no operation searches the token. */
import pkcs11js from 'pkcs11js'
import { Failure } from '../../errors.ts'
import type { HsmObject } from '../hsm.ts'
import { CryptokiError, recoveryFrom, returnCodes } from '../return-codes.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { breath, inSlices } from './slices.ts'

const keyClasses = [pkcs11js.CKO_SECRET_KEY, pkcs11js.CKO_PRIVATE_KEY]

const [CKR_USER_NOT_LOGGED_IN] = returnCodes.CKR_USER_NOT_LOGGED_IN

export class KeyHandles {
  readonly #cryptoki: Cryptoki
  readonly #handles = new Map<string, Handle>()
  #indexing: Promise<void> | undefined

  constructor(cryptoki: Cryptoki) {
    this.#cryptoki = cryptoki
  }

  /** Learns every key on the token, beside the calls of the worker. Never rejects: what it does not learn is searched for. */
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
   * A key that is not known yet is searched for: another worker may have created it. What is not found is not remembered.
   * Fails with InvalidState when it is not there.
   */
  async find(session: Handle, material: string): Promise<Handle> {
    if (!this.#handles.has(material)) await this.#indexing
    const known = this.#handles.get(material)
    if (known !== undefined) return known
    const [found] = await this.search(session, material)
    if (found === undefined) throw new Failure('InvalidState', 'The HSM does not hold the key material.')
    this.#handles.set(material, found)
    return found
  }

  /** Every key object with that CKA_ID: a linear search on the token. */
  search(session: Handle, material: string): Promise<readonly Handle[]> {
    return this.#search(session, [[pkcs11js.CKA_ID, Buffer.from(material, 'hex')]])
  }

  /**
   * Every object with that CKA_ID, without trust in what is remembered: a quick inspection asks the object that is in use for its
   * CKA_ID, and searches only when it has another one. What is remembered is right afterwards.
   */
  async findAll(session: Handle, material: string, depth: 'quick' | 'thorough'): Promise<readonly Handle[]> {
    if (depth === 'quick' && !this.#handles.has(material)) await this.#indexing
    const known = this.#handles.get(material)
    if (depth === 'quick' && known !== undefined) {
      const id = this.#unlessGone(() => this.#id(session, known))
      if (id === material) return [known]
    }
    const found = await this.search(session, material)
    if (found.length === 1) this.add(material, found[0]!)
    else if (known !== undefined && !found.some(handle => handle.equals(known))) this.forget(material)
    return found
  }

  add(material: string, handle: Handle): void {
    this.#handles.set(material, handle)
  }

  forget(material: string): void {
    this.#handles.delete(material)
  }

  clear(): void {
    this.#handles.clear()
  }

  /** Tells of every key object on the token, a few at a time. */
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
   * Without a login private objects are not found, which looks as if they were not there. That there is one afterwards proves
   * nothing: another thread may just have logged in.
   */
  async #search(session: Handle, template: readonly (readonly [number, Buffer])[]): Promise<readonly Handle[]> {
    const found: Handle[] = []
    this.#checkLogin(session)
    for (const [index, keyClass] of keyClasses.entries()) {
      if (index > 0) await breath()
      found.push(...this.#cryptoki.findObjects(session, [[pkcs11js.CKA_CLASS, keyClass], ...template]))
    }
    if (found.length === 0) this.#checkLogin(session)
    return found
  }

  #checkLogin(session: Handle): void {
    if (!this.#cryptoki.isLoggedIn(session)) throw new CryptokiError('C_FindObjects', CKR_USER_NOT_LOGGED_IN)
  }

  /** Nothing for an object that was destroyed since its handle was found. */
  #unlessGone<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (recoveryFrom(error) === 'find again') return undefined
      throw error
    }
  }

  #id(session: Handle, handle: Handle): string {
    return this.#cryptoki.attribute(session, handle, pkcs11js.CKA_ID).toString('hex')
  }
}
