/** The PKCS#11 functions in use, over pkcs11js, with stricter types and one kind of error. */
import pkcs11js from 'pkcs11js'
import { CryptokiError } from '../return-codes.ts'
import { type LibraryInfo, libraryInfo, type SlotToken, slotToken } from './information.ts'
import { call, checked, type Handle, refined, type Template } from './native-call.ts'
import type { ProcessLock } from './process-lock.ts'

export type { Handle, Template } from './native-call.ts'

export interface Mechanism {
  readonly mechanism: number
  readonly parameter?: pkcs11js.IParams | pkcs11js.AesGCM | Buffer
}

export const userType = { securityOfficer: pkcs11js.CKU_SO, user: pkcs11js.CKU_USER } as const

/** Of C_Verify. */
const misfits: ReadonlySet<string> = new Set(['CKR_SIGNATURE_INVALID', 'CKR_SIGNATURE_LEN_RANGE'])
/** Of C_GetAttributeValue. */
const hidden: ReadonlySet<string> = new Set(['CKR_ATTRIBUTE_TYPE_INVALID', 'CKR_ATTRIBUTE_SENSITIVE'])
const handlesPerCall = 1000
const labelBytes = 32
/** pkcs11js passes an empty Buffer as NULL, which tokens refuse, but an empty view of a Buffer as a pointer. */
const empty = Buffer.alloc(1).subarray(0, 0)
/** CKS_RO_USER_FUNCTIONS and CKS_RW_USER_FUNCTIONS: PKCS#11 v2.40, section 3.3. */
const userStates: readonly number[] = [1, 3]

export class Cryptoki {
  readonly #native: pkcs11js.PKCS11
  readonly #lock: ProcessLock | undefined
  /** Cryptographic functions run in libuv's thread pool. */
  asynchronous = false
  /** Called before each search of the token. */
  beforeSearch = (): void => {}
  /** Called before an object is added or destroyed, under the lock. */
  beforeWrite = (): void => {}
  /** Mechanisms of pending calls: keeps their Buffers alive, as the library may hold pointers into them. */
  readonly #inUse = new Set<Mechanism>()

  private constructor(native: pkcs11js.PKCS11, lock?: ProcessLock) {
    this.#native = native
    this.#lock = lock
  }

  /**
   * Loads the library, once per process. Throws the dynamic linker's error.
   *
   * @param lock held while the library reads or writes objects of the token, or its own record
   */
  static load(path: string, lock?: ProcessLock): Cryptoki {
    const native = new pkcs11js.PKCS11()
    native.load(path)
    return new Cryptoki(native, lock)
  }

  /** For graphene-pk11, which wraps the same library, and to time single functions. */
  get native(): pkcs11js.PKCS11 {
    return this.#native
  }

  /**
   * Without CKF_OS_LOCKING_OK libraries assume a single thread, and some crash.
   *
   * @param parameters a string that some libraries want; pkcs11js drops its last character
   */
  initialise(parameters?: string): void {
    const flags = pkcs11js.CKF_OS_LOCKING_OK
    const options = parameters === undefined ? { flags } : { flags, libraryParameters: `${parameters} ` }
    this.#read('C_Initialize', () => this.#native.C_Initialize(options))
  }

  finalise(): void {
    call('C_Finalize', () => this.#native.C_Finalize())
  }

  info(): LibraryInfo {
    return libraryInfo(call('C_GetInfo', () => this.#native.C_GetInfo()))
  }

  /** Slots that hold a token, whether it is initialised or not. */
  slots(): readonly Handle[] {
    return this.#read('C_GetSlotList', () => this.#native.C_GetSlotList(true))
  }

  tokenIn(slot: Handle): SlotToken {
    return slotToken(
      slot,
      this.#read('C_GetTokenInfo', () => this.#native.C_GetTokenInfo(slot)),
    )
  }

  /** CKM_* of a slot. */
  mechanisms(slot: Handle): readonly number[] {
    return call('C_GetMechanismList', () => this.#native.C_GetMechanismList(slot))
  }

  /** The label is padded here: pkcs11js would pad it with NUL bytes instead of the blanks that PKCS#11 asks for. */
  initialiseToken(slot: Handle, pin: string, label: string): void {
    const padded = label + ' '.repeat(labelBytes - Buffer.byteLength(label))
    this.#write('C_InitToken', () => this.#native.C_InitToken(slot, pin, padded))
  }

  initialisePin(session: Handle, pin: string): void {
    this.#write('C_InitPIN', () => this.#native.C_InitPIN(session, pin))
  }

  /** Read-write, as AWS CloudHSM supports no other sessions. */
  openSession(slot: Handle): Handle {
    const flags = pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION
    return call('C_OpenSession', () => this.#native.C_OpenSession(slot, flags))
  }

  closeSession(session: Handle): void {
    call('C_CloseSession', () => this.#native.C_CloseSession(session))
  }

  /** Closes a session that may be closed already. */
  discardSession(session: Handle): void {
    try {
      this.closeSession(session)
    } catch {
      // It was closed already.
    }
  }

  /** Logs in the whole process, not only this session. */
  login(session: Handle, user: number, pin: string): void {
    this.#read('C_Login', () => this.#native.C_Login(session, user, pin))
  }

  /** Needed as a search without a login succeeds and finds nothing. */
  isLoggedIn(session: Handle): boolean {
    const { state } = call('C_GetSessionInfo', () => this.#native.C_GetSessionInfo(session))
    return userStates.includes(state)
  }

  generateKey(session: Handle, mechanism: Mechanism, template: Template): Handle {
    return this.#write('C_GenerateKey', () => this.#native.C_GenerateKey(session, mechanism, checked(template)))
  }

  /** @param inPool in libuv's thread pool, even if `asynchronous` is false */
  async generateKeyPair(
    session: Handle,
    mechanism: Mechanism,
    publicKey: Template,
    privateKey: Template,
    inPool: boolean,
  ): Promise<{ readonly publicKey: Handle; readonly privateKey: Handle }> {
    const name = 'C_GenerateKeyPair'
    const templates = [checked(publicKey), checked(privateKey)] as const
    if (!inPool && this.#isSynchronousForWrites) {
      return this.#write(name, () => this.#native.C_GenerateKeyPair(session, mechanism, ...templates))
    }
    return this.#inPool(name, this.#native.C_GenerateKeyPairAsync(session, mechanism, ...templates))
  }

  copyObject(session: Handle, object: Handle, template: Template): Handle {
    return this.#write('C_CopyObject', () => this.#native.C_CopyObject(session, object, checked(template)))
  }

  async deriveKey(session: Handle, mechanism: Mechanism, base: Handle, template: Template): Promise<Handle> {
    const name = 'C_DeriveKey'
    if (!this.asynchronous) {
      return call(name, () => this.#native.C_DeriveKey(session, mechanism, base, checked(template)))
    }
    return this.#inPool(name, this.#native.C_DeriveKeyAsync(session, mechanism, base, checked(template)), mechanism)
  }

  async unwrapKey(
    session: Handle,
    mechanism: Mechanism,
    unwrappingKey: Handle,
    wrapped: Buffer,
    template: Template,
  ): Promise<Handle> {
    const name = 'C_UnwrapKey'
    const request = [session, mechanism, unwrappingKey, wrapped, checked(template)] as const
    if (this.#isSynchronousForWrites) return this.#write(name, () => this.#native.C_UnwrapKey(...request))
    return this.#inPool(name, this.#native.C_UnwrapKeyAsync(...request), mechanism)
  }

  /** @param longest bytes of the result, at most */
  wrapKey(session: Handle, mechanism: Mechanism, wrappingKey: Handle, key: Handle, longest: number): Buffer {
    return call('C_WrapKey', () =>
      this.#native.C_WrapKey(session, mechanism, wrappingKey, key, Buffer.allocUnsafe(longest)),
    )
  }

  createObject(session: Handle, template: Template): Handle {
    return this.#write('C_CreateObject', () => this.#native.C_CreateObject(session, checked(template)))
  }

  destroyObject(session: Handle, object: Handle): void {
    this.#write('C_DestroyObject', () => this.#native.C_DestroyObject(session, object))
  }

  /** Takes time linear in the number of objects on the token. */
  findObjects(session: Handle, template: Template): readonly Handle[] {
    this.beforeSearch()
    this.#read('C_FindObjectsInit', () => this.#native.C_FindObjectsInit(session, checked(template)))
    const found: Handle[] = []
    for (;;) {
      const some = call('C_FindObjects', () => this.#native.C_FindObjects(session, handlesPerCall))
      found.push(...some)
      if (some.length < handlesPerCall) break
    }
    call('C_FindObjectsFinal', () => this.#native.C_FindObjectsFinal(session))
    return found
  }

  /** One attribute at a time: C_GetAttributeValue fails if any of several attributes cannot be read. */
  attribute(session: Handle, object: Handle, type: number): Buffer {
    const [read] = this.#read('C_GetAttributeValue', () =>
      this.#native.C_GetAttributeValue(session, object, [{ type }]),
    )
    return read!.value as Buffer
  }

  /** Undefined if the object does not have it, or does not show it. */
  attributeIfAny(session: Handle, object: Handle, type: number): Buffer | undefined {
    try {
      const value = this.attribute(session, object, type)
      return value.length === 0 ? undefined : value
    } catch (error) {
      if (error instanceof CryptokiError && hidden.has(error.returnCode)) return undefined
      throw error
    }
  }

  /** A CK_BBOOL; false if the object has no such attribute, as some tokens leave out what does not hold of an imported key. */
  flag(session: Handle, object: Handle, type: number): boolean {
    try {
      return this.attribute(session, object, type)[0] === 1
    } catch (error) {
      if (error instanceof CryptokiError && error.returnCode === 'CKR_ATTRIBUTE_TYPE_INVALID') return false
      throw error
    }
  }

  /** @param outputLength exact length of the result: pkcs11js does not ask the library for it */
  async encrypt(
    session: Handle,
    mechanism: Mechanism,
    key: Handle,
    data: Buffer,
    outputLength: number,
  ): Promise<Buffer> {
    call('C_EncryptInit', () => this.#native.C_EncryptInit(session, mechanism, key))
    const [input, output] = [data.length === 0 ? empty : data, Buffer.allocUnsafe(outputLength)]
    if (!this.asynchronous) return call('C_Encrypt', () => this.#native.C_Encrypt(session, input, output))
    return this.#inPool('C_Encrypt', this.#native.C_EncryptAsync(session, input, output), mechanism)
  }

  /** The buffer is larger than the result: SoftHSM refuses one that is shorter than the data. */
  async decrypt(session: Handle, mechanism: Mechanism, key: Handle, data: Buffer): Promise<Buffer> {
    call('C_DecryptInit', () => this.#native.C_DecryptInit(session, mechanism, key))
    const output = Buffer.allocUnsafe(data.length)
    if (!this.asynchronous) return call('C_Decrypt', () => this.#native.C_Decrypt(session, data, output))
    return this.#inPool('C_Decrypt', this.#native.C_DecryptAsync(session, data, output), mechanism)
  }

  /** @param length at least that of the signature */
  async sign(session: Handle, mechanism: Mechanism, key: Handle, data: Buffer, length: number): Promise<Buffer> {
    call('C_SignInit', () => this.#native.C_SignInit(session, mechanism, key))
    const output = Buffer.allocUnsafe(length)
    if (!this.asynchronous) return call('C_Sign', () => this.#native.C_Sign(session, data, output))
    return this.#inPool('C_Sign', this.#native.C_SignAsync(session, data, output))
  }

  /** False for an invalid signature. */
  async verify(session: Handle, mechanism: Mechanism, key: Handle, data: Buffer, signature: Buffer): Promise<boolean> {
    call('C_VerifyInit', () => this.#native.C_VerifyInit(session, mechanism, key))
    try {
      if (!this.asynchronous) return call('C_Verify', () => this.#native.C_Verify(session, data, signature))
      return await this.#inPool('C_Verify', this.#native.C_VerifyAsync(session, data, signature))
    } catch (error) {
      if (error instanceof CryptokiError && misfits.has(error.returnCode)) return false
      throw error
    }
  }

  random(session: Handle, length: number): Buffer {
    return call('C_GenerateRandom', () => this.#native.C_GenerateRandom(session, Buffer.allocUnsafeSlow(length)))
  }

  /** Several calls under one lock, which takes longer than most of them. */
  together<T>(calls: () => T): T {
    return this.#lock === undefined ? calls() : this.#lock.hold(calls)
  }

  #read<T>(name: string, native: () => T): T {
    return this.together(() => call(name, native))
  }

  #write<T>(name: string, native: () => T): T {
    return this.#read(name, () => {
      this.beforeWrite()
      return native()
    })
  }

  /** The lock is of this thread. */
  get #isSynchronousForWrites(): boolean {
    return !this.asynchronous || this.#lock !== undefined
  }

  async #inPool<T>(name: string, result: Promise<T>, mechanism?: Mechanism): Promise<T> {
    if (mechanism !== undefined) this.#inUse.add(mechanism)
    try {
      return await result
    } catch (error) {
      throw refined(name, error)
    } finally {
      if (mechanism !== undefined) this.#inUse.delete(mechanism)
    }
  }
}
