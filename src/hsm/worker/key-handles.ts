/** Handles of the key objects on the token, by material id: found once, so that no operation searches the token. */
import pkcs11js from 'pkcs11js'
import { Failure } from '../../errors.ts'
import type { HsmObject } from '../hsm.ts'
import { CryptokiError, recoveryFrom, returnCodes } from '../return-codes.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'

const keyClasses = [pkcs11js.CKO_SECRET_KEY, pkcs11js.CKO_PRIVATE_KEY]

const [CKR_USER_NOT_LOGGED_IN] = returnCodes.CKR_USER_NOT_LOGGED_IN

export class KeyHandles {
  readonly #cryptoki: Cryptoki
  readonly #handles = new Map<string, Handle>()

  constructor(cryptoki: Cryptoki) {
    this.#cryptoki = cryptoki
  }

  /** Learns every key on the token in one walk; what is known and still there stays. */
  load(session: Handle): void {
    const handles = this.#walk(session)
    const present = new Set(handles.map(handle => handle.toString('hex')))
    for (const handle of handles) {
      const id = this.#id(session, handle)
      const known = this.#handles.get(id)
      if (known === undefined || !present.has(known.toString('hex'))) this.#handles.set(id, handle)
    }
  }

  /**
   * A key that is not known yet is searched for: another worker may have created it. What is not found is not remembered.
   * Throws KMSInvalidStateException when it is not there.
   */
  find(session: Handle, material: string): Handle {
    const known = this.#handles.get(material)
    if (known !== undefined) return known
    const [found] = this.search(session, material)
    if (found === undefined) throw new Failure('KMSInvalidStateException', 'The HSM does not hold the key material.')
    this.#handles.set(material, found)
    return found
  }

  /** Every key object with that CKA_ID: a linear search on the token. */
  search(session: Handle, material: string): readonly Handle[] {
    const found = this.#search(session, material)
    return found.length > 0 ? found : this.#whileLoggedIn(session, () => this.#search(session, material))
  }

  #search(session: Handle, material: string): readonly Handle[] {
    const id = Buffer.from(material, 'hex')
    return keyClasses.flatMap(keyClass =>
      this.#cryptoki.findObjects(session, [
        [pkcs11js.CKA_CLASS, keyClass],
        [pkcs11js.CKA_ID, id],
      ]),
    )
  }

  /**
   * Every object with that CKA_ID, without trust in what is remembered: a quick look asks the object that is in use for its
   * CKA_ID, and searches only when it has another one. What is remembered is right afterwards.
   */
  look(session: Handle, material: string, look: 'quick' | 'thorough'): readonly Handle[] {
    // Many keys of other workers are unknown here, and a walk costs little more than the search for one of them.
    if (look === 'quick' && !this.#handles.has(material)) this.load(session)
    const known = this.#handles.get(material)
    if (look === 'quick' && known !== undefined && this.#has(session, known, material)) return [known]
    const found = this.search(session, material)
    if (found.length === 1) this.add(material, found[0]!)
    else if (known !== undefined && !found.some(handle => handle.equals(known))) this.forget(material)
    return found
  }

  #has(session: Handle, handle: Handle, material: string): boolean {
    try {
      return this.#id(session, handle) === material
    } catch (error) {
      if (recoveryFrom(error) === 'find again') return false
      throw error
    }
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

  objects(session: Handle): readonly HsmObject[] {
    const handles = this.#whileLoggedIn(session, () => this.#walk(session))
    return handles.map(handle => ({
      id: this.#id(session, handle),
      label: this.#cryptoki.attribute(session, handle, pkcs11js.CKA_LABEL).toString(),
    }))
  }

  /**
   * Without a login private objects are not found, which looks as if they were not there. That there is one afterwards proves
   * nothing: another thread may just have logged in.
   */
  #whileLoggedIn<T>(session: Handle, search: () => T): T {
    this.#checkLogin(session)
    const found = search()
    this.#checkLogin(session)
    return found
  }

  #checkLogin(session: Handle): void {
    if (!this.#cryptoki.isLoggedIn(session)) throw new CryptokiError('C_FindObjects', CKR_USER_NOT_LOGGED_IN)
  }

  #walk(session: Handle): readonly Handle[] {
    return keyClasses.flatMap(keyClass => this.#cryptoki.findObjects(session, [[pkcs11js.CKA_CLASS, keyClass]]))
  }

  #id(session: Handle, handle: Handle): string {
    return this.#cryptoki.attribute(session, handle, pkcs11js.CKA_ID).toString('hex')
  }
}
