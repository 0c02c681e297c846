/** The operations of an HSM, over PKCS#11: the synchronous half of the contract in hsm.ts, inside a worker. */
import pkcs11js from 'pkcs11js'
import { Failure } from '../errors.ts'
import type { Custody } from '../model/key.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { Connection } from './connection.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { custodyFaults } from './custody.ts'
import type { HsmObject } from './hsm.ts'
import { Keys } from './keys.ts'
import { aesGcm, generationMechanisms, tagLength } from './mechanisms.ts'
import type { Profile } from './profiles/profile.ts'
import { CryptokiError, failureFrom } from './return-codes.ts'
import { keyTemplate } from './templates.ts'

/** Bytes of IVs drawn at once: a call to the generator costs as much as a quarter of an encryption. */
const ivBlockLength = 4096

export class Pkcs11 {
  readonly #cryptoki: Cryptoki
  readonly #profile: Profile
  readonly #keys: Keys
  #ivs: Buffer = Buffer.alloc(0)

  constructor(connection: Connection, profile: Profile) {
    this.#cryptoki = connection.cryptoki
    this.#profile = profile
    this.#keys = new Keys(connection)
  }

  encrypt(material: string, plaintext: Buffer, aad: Buffer): { iv: Buffer; ciphertext: Buffer } {
    return this.#keys.use(material, (session, key) => {
      const iv = this.#nextIv(session)
      const length = plaintext.length + tagLength
      return { iv, ciphertext: this.#cryptoki.encrypt(session, aesGcm(iv, aad), key, plaintext, length) }
    })
  }

  /** Throws InvalidCiphertextException, without text, for whatever does not decrypt. */
  decrypt(material: string, iv: Buffer, ciphertext: Buffer, aad: Buffer): Buffer {
    // SoftHSM would take any IV and a tag of any length.
    if (iv.length !== this.#profile.ivLength || ciphertext.length < tagLength) {
      throw new Failure('InvalidCiphertextException')
    }
    return this.#keys.use(material, (session, key) => {
      try {
        return this.#cryptoki.decrypt(session, aesGcm(iv, aad), key, ciphertext)
      } catch (error) {
        if (this.#isBadCiphertext(error)) throw new Failure('InvalidCiphertextException', '', { cause: error })
        throw error
      }
    })
  }

  random(length: number): Buffer {
    return this.#keys.run(session => this.#cryptoki.random(session, length))
  }

  generateKey(material: string, spec: SupportedKeySpec, label: string): Custody {
    return this.#keys.create(material, session => {
      const id = Buffer.from(material, 'hex')
      const template = keyTemplate(spec, id, label, this.#profile)
      const key = this.#cryptoki.generateKey(session, generationMechanisms[spec], template)
      try {
        const custody = this.#custody(session, key)
        const faults = custodyFaults(custody)
        if (faults.length > 0) throw new Error(`The HSM made a key that is not what was asked: ${faults.join(', ')}.`)
        return { key, result: custody }
      } catch (error) {
        this.#cryptoki.destroyObject(session, key)
        throw error
      }
    })
  }

  destroyKey(material: string): void {
    this.#keys.destroy(material)
  }

  objects(): readonly HsmObject[] {
    return this.#keys.objects()
  }

  #custody(session: Handle, key: Handle): Custody {
    const read = (type: number) => this.#cryptoki.attribute(session, key, type)[0] === 1
    return {
      sensitive: read(pkcs11js.CKA_SENSITIVE),
      extractable: read(pkcs11js.CKA_EXTRACTABLE),
      alwaysSensitive: read(pkcs11js.CKA_ALWAYS_SENSITIVE),
      neverExtractable: read(pkcs11js.CKA_NEVER_EXTRACTABLE),
      local: read(pkcs11js.CKA_LOCAL),
    }
  }

  /** A view of a block that is never written again, so it stays what it is for as long as someone refers to it. */
  #nextIv(session: Handle): Buffer {
    const { ivLength } = this.#profile
    if (this.#ivs.length < ivLength) this.#ivs = this.#cryptoki.random(session, ivBlockLength)
    const iv = this.#ivs.subarray(0, ivLength)
    this.#ivs = this.#ivs.subarray(ivLength)
    return iv
  }

  #isBadCiphertext(error: unknown): boolean {
    if (!(error instanceof CryptokiError) || error.function !== 'C_Decrypt') return false
    const standard = failureFrom(error).code === 'InvalidCiphertextException'
    return standard || this.#profile.badCiphertext.includes(error.returnCode)
  }
}
