/** The contract of hsm.ts over PKCS#11, inside a worker. */
import { hash, timingSafeEqual } from 'node:crypto'
import type { EncryptionAlgorithmSpec, KeyUsageType } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { checkAbilities } from '../../model/keys/ability.ts'
import { keySpecs } from '../../model/keys/key-spec.ts'
import { wrappingAlgorithms } from '../../model/keys/wrapping-algorithm.ts'
import type { CheckedEncryption, CreatedKey, HsmObject, KeyInspection } from '../hsm.ts'
import { gcmIvLengths, type Profile } from '../profiles/profile.ts'
import { encryptOaep as encryptOaepOutside, oaepHash } from '../public-key-crypto.ts'
import { CryptokiError } from '../return-codes.ts'
import type { CallContext, PublicKeyUse, RequestOf, Work } from '../wire/calls.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { BadInput } from './bad-input.ts'
import { Canary } from './canary.ts'
import { dataKeyPairMechanism, gcmOf } from './capabilities.ts'
import type { Connection } from './connection.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { isSealed, type Sealed } from './gcm.ts'
import { type DataKeyPair, generateDataKeyPair } from './key-generation.ts'
import { notFound } from './key-handles.ts'
import { inspectObjects } from './key-inspection.ts'
import { Keys } from './keys.ts'
import { modulusLength } from './mechanisms.ts'
import { NewKeys } from './new-keys.ts'
import { isMisfit } from './proof.ts'
import { PublicObjects } from './public-objects.ts'
import { signing } from './signatures.ts'
import { agree, decryptOaep, encryptOaep, type KeyInUse, mac, open, seal, sign, verify } from './steps.ts'
import { wrapUnderTrusted } from './trusted-wrapping.ts'

/** Bytes drawn for IVs at a time: a call to C_GenerateRandom costs a quarter of an encryption. */
const ivBlockLength = 4096

export interface Pkcs11Options {
  readonly profile: Profile
  readonly capabilities: Capabilities
  /** In use at the same time. */
  readonly sessions: number
  /** See WorkerArgument. */
  readonly mayMissKeys: boolean
  /** Whether the worker may see key material that the token cannot unwrap: see the configuration. */
  readonly bridges: boolean
  /** CKA_ID of the canary key, in hex; absent until there is one. */
  readonly canary?: string | undefined
}

export class Pkcs11 implements Work {
  readonly #cryptoki: Cryptoki
  readonly #profile: Profile
  readonly #capabilities: Capabilities
  readonly #mayMissKeys: boolean
  readonly #keys: Keys
  readonly #publicObjects: PublicObjects
  readonly #newKeys: NewKeys
  readonly #canary: Canary
  readonly #badInput: BadInput
  #ivs: Buffer = Buffer.alloc(0)

  constructor(connection: Connection, options: Pkcs11Options) {
    const { profile, capabilities, sessions, mayMissKeys, bridges, canary } = options
    const { cryptoki, slot } = connection
    this.#cryptoki = cryptoki
    this.#profile = profile
    this.#capabilities = capabilities
    this.#mayMissKeys = mayMissKeys
    this.#keys = new Keys(connection, sessions)
    this.#publicObjects = new PublicObjects(cryptoki, slot)
    this.#canary = new Canary(
      {
        seal: (object, plaintext, aad) => this.encrypt({ object, plaintext, aad, ivLength: 0 }),
        open: (...opening) => this.#open(...opening),
        random: length => this.random(length),
        holds: object => this.#keys.holds(object),
      },
      canary,
    )
    this.#badInput = new BadInput(profile, () => this.works())
    const [keys, badInput] = [this.#keys, this.#badInput]
    this.#newKeys = new NewKeys({ cryptoki, slot, profile, capabilities, keys, badInput, bridges })
  }

  /** Looks up every key on the token, while calls are served. */
  index(): Promise<void> {
    return this.#keys.index()
  }

  /** Forgets all sessions and handles, which are opened and looked up again when needed. */
  forget(): void {
    this.#publicObjects.clear()
    this.#keys.forget()
  }

  /** Tries the PIN once. Throws PinRefused if the token refuses it. */
  async logIn(): Promise<void> {
    this.forget()
    this.#keys.logIn()
    void this.index()
  }

  /** See canary.ts. Never rejects. */
  works(): Promise<boolean> {
    return this.#canary.works()
  }

  /** See canary.ts. Never rejects. */
  provesAbsence(): Promise<boolean> {
    return this.#canary.provesAbsence()
  }

  /** Whether the error means that the HSM is overloaded, according to its profile. */
  throttles(error: unknown): boolean {
    return error instanceof CryptokiError && this.#profile.throttlingCodes.includes(error.returnCode)
  }

  /** `ivLength`: that the AAD states; 0 for any. Rejects with KeyUnavailable if the HSM makes IVs of another length by now. */
  async encrypt({ object, plaintext, aad, ivLength }: RequestOf<'encrypt'>): Promise<Sealed> {
    const gcm = gcmOf(this.#capabilities)
    if (ivLength !== 0 && ivLength !== gcmIvLengths[gcm.iv]) {
      const cause = new Error(`an IV of ${ivLength} bytes was asked for, and the HSM makes those of the form ${gcm.iv}`)
      throw new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
    }
    return this.#keys.use(object, key => {
      return seal(key, gcm, plaintext, aad, { drawIv: () => this.#nextIv(key.session) })
    })
  }

  /** Rejects with InvalidCiphertext, without a message, if the ciphertext is invalid in any way. */
  async decrypt({ object, iv, ciphertext, aad }: RequestOf<'decrypt'>): Promise<Buffer> {
    if (!isSealed(iv, ciphertext)) throw new Failure('InvalidCiphertext')
    return this.#badInput.decrypted(() => this.#open(object, { iv, ciphertext }, aad))
  }

  async encryptChecked({
    object,
    plaintext,
    aad,
    hashed,
  }: RequestOf<'encryptChecked'>): Promise<CheckedEncryption & Sealed> {
    const gcm = gcmOf(this.#capabilities)
    return this.#keys.use(object, async key => {
      const sealed = await seal(key, gcm, plaintext, aad, { drawIv: () => this.#nextIv(key.session) })
      // One call takes half of the time of an object that is updated.
      const digest = hash('sha256', Buffer.concat([hashed, sealed.iv, sealed.ciphertext]), 'buffer')
      const opened = await open(key, gcm, sealed, aad)
      const isSame = opened.equals(plaintext)
      opened.fill(0)
      if (!isSame) throw new Failure('Internal', '', { cause: new Error('the HSM decrypted to another plaintext') })
      return { ...sealed, digest }
    })
  }

  random(length: number): Promise<Buffer> {
    return this.#keys.run(async session => this.#cryptoki.random(session, length))
  }

  generateKey(request: RequestOf<'generateKey'>, context: CallContext<'generateKey'>): Promise<CreatedKey> {
    return this.#newKeys.generate(request, context)
  }

  generateSlowKey(request: RequestOf<'generateKey'>, context: CallContext<'generateKey'>): Promise<CreatedKey> {
    return this.#newKeys.generate(request, context)
  }

  importKey(request: RequestOf<'importKey'>, context: CallContext<'importKey'>): Promise<CreatedKey> {
    return this.#newKeys.import(request, context)
  }

  createWrappingKey(
    request: RequestOf<'createWrappingKey'>,
    context: CallContext<'createWrappingKey'>,
  ): Promise<CreatedKey> {
    return this.#newKeys.generateWrapping(request, context)
  }

  unwrapKey(request: RequestOf<'unwrapKey'>, context: CallContext<'unwrapKey'>): Promise<CreatedKey> {
    return this.#newKeys.unwrap(request, context)
  }

  receiveKey(request: RequestOf<'receiveKey'>, context: CallContext<'receiveKey'>): Promise<CreatedKey> {
    return this.#newKeys.receive(request, context)
  }

  async wrapKey({ object, publicKey, algorithm }: RequestOf<'wrapKey'>): Promise<Buffer | undefined> {
    checkAbilities(ability => this.#capabilities.lacks[ability], [`Transfer under ${algorithm}`])
    return this.#keys.use(object, async key => wrapUnderTrusted(key, publicKey, wrappingAlgorithms[algorithm].hash))
  }

  async generateKeyPair({ spec }: RequestOf<'generateKeyPair'>): Promise<DataKeyPair> {
    const mechanism = dataKeyPairMechanism(this.#capabilities, spec)
    const usage = keySpecs[spec].usages.find(usage => usage === 'SIGN_VERIFY') ?? keySpecs[spec].usages[0]!
    return this.#keys.run(session => generateDataKeyPair(this.#cryptoki, session, mechanism, usage))
  }

  async encryptRaw({ algorithm, plaintext, ...key }: RequestOf<'encryptRaw'>): Promise<Buffer> {
    const hash = oaepHash(algorithm)
    if (!this.#padsOnToken(algorithm)) return encryptOaepOutside(key.publicKey, hash, plaintext)
    return this.#withPublicKey(key, 'ENCRYPT_DECRYPT', object => encryptOaep(object, hash, plaintext))
  }

  /** Rejects with InvalidCiphertext, without a message, if the ciphertext is invalid in any way. */
  async decryptRaw({ object, spec, algorithm, ciphertext }: RequestOf<'decryptRaw'>): Promise<Buffer> {
    if (ciphertext.length !== modulusLength(spec)) throw new Failure('InvalidCiphertext')
    const onToken = this.#padsOnToken(algorithm)
    const hash = oaepHash(algorithm)
    const decrypted = await this.#badInput.decrypted(() =>
      this.#keys.use(object, key => decryptOaep(key, hash, onToken, ciphertext)),
    )
    if (decrypted === undefined) throw new Failure('InvalidCiphertext')
    return decrypted
  }

  /** Whether the token supports the padding. Otherwise the worker removes it; throws UnsupportedOperation if it may not. */
  #padsOnToken(algorithm: EncryptionAlgorithmSpec): boolean {
    if (this.#profile.oaepHashes.includes(oaepHash(algorithm))) return true
    checkAbilities(ability => this.#capabilities.lacks[ability], [algorithm])
    return false
  }

  async sign({ object, spec, algorithm, type, message }: RequestOf<'sign'>): Promise<Buffer> {
    const asked = signing(spec, algorithm, type, message)
    return this.#keys.use(object, key => sign(key, asked))
  }

  async verify({ algorithm, type, message, signature, ...key }: RequestOf<'verify'>): Promise<boolean> {
    const asked = signing(key.spec, algorithm, type, message)
    if (asked.toToken(signature) === undefined) return false
    return this.#badInput.verified(() =>
      this.#withPublicKey(key, 'SIGN_VERIFY', object => verify(object, asked, signature)),
    )
  }

  generateMac({ object, algorithm, message }: RequestOf<'generateMac'>): Promise<Buffer> {
    return this.#keys.use(object, key => mac(key, algorithm, message))
  }

  /** Compared here, as tokens do not state whether they compare in constant time. */
  async verifyMac({ mac: stated, ...request }: RequestOf<'verifyMac'>): Promise<boolean> {
    const right = await this.generateMac(request)
    const fits = right.length === stated.length && timingSafeEqual(right, stated)
    right.fill(0)
    return fits
  }

  /** `peer`: DER SubjectPublicKeyInfo of a point on the key's curve. */
  deriveSharedSecret({ object, spec, peer }: RequestOf<'deriveSharedSecret'>): Promise<Buffer> {
    return this.#keys.use(object, key => agree(key, spec, peer))
  }

  destroyKey({ object }: RequestOf<'destroyKey'>): Promise<void> {
    return this.#keys.destroy(object)
  }

  /** Rejects with InvalidState for a missing key that another gateway may have. */
  async inspectKey({ depth, ...key }: RequestOf<'inspectKey'>): Promise<KeyInspection> {
    const [cryptoki, profile, capabilities] = [this.#cryptoki, this.#profile, this.#capabilities]
    try {
      return await this.#keys.inspect(key.object, depth, (session, found) => {
        if (found.length === 0 && this.#mayMissKeys) throw notFound()
        return inspectObjects({ cryptoki, session, profile, capabilities }, found, key)
      })
    } catch (error) {
      // Not inside the operation: the session has to be closed after such an error.
      if (isMisfit(error, profile)) return { fault: 'wrong_key' }
      throw error
    }
  }

  /** Reports every key object on the token, a few at a time. */
  async objects(_request: unknown, { part }: CallContext<'objects'>): Promise<readonly HsmObject[]> {
    await this.#keys.list(part)
    return []
  }

  #open(object: string, sealed: Sealed, aad: Buffer): Promise<Buffer> {
    const gcm = gcmOf(this.#capabilities)
    return this.#keys.use(object, key => open(key, gcm, sealed, aad))
  }

  /** Creates the object again if it is gone. */
  #withPublicKey<T>(key: PublicKeyUse, usage: KeyUsageType, use: (object: KeyInUse) => Promise<T>): Promise<T> {
    const cryptoki = this.#cryptoki
    return this.#keys.run(
      async session => use({ cryptoki, session, key: this.#publicObjects.find(key, usage) }),
      () => this.#publicObjects.clear(),
    )
  }

  /** A view of a block that is never written again: the library may read it until the call ends. */
  #nextIv(session: Handle): Buffer {
    const ivLength = gcmIvLengths.caller
    if (this.#ivs.length < ivLength) this.#ivs = this.#cryptoki.random(session, ivBlockLength)
    const iv = this.#ivs.subarray(0, ivLength)
    this.#ivs = this.#ivs.subarray(ivLength)
    return iv
  }
}
