/** The operations of an HSM, over PKCS#11: the synchronous half of the contract in hsm.ts, inside a worker. */
import { timingSafeEqual } from 'node:crypto'
import type {
  EncryptionAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import { Failure } from '../errors.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import { isBadCiphertext } from './bad-ciphertext.ts'
import { Capabilities } from './capabilities.ts'
import type { Connection } from './connection.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import type { GeneratedKey, HeldKey, HsmObject, KeyInspection } from './hsm.ts'
import { type DataKeyPair, generateDataKeyPair, generateObject } from './key-generation.ts'
import { inspectObjects } from './key-inspection.ts'
import { Keys } from './keys.ts'
import { aesGcm, ecdh, keyMechanisms, macs, rsaOaep, rsaRaw, tagLength } from './mechanisms.ts'
import type { PublicKeyUse } from './messages.ts'
import { unpadOaepSha256 } from './oaep.ts'
import { encryptOaep, oaepHash } from './outside.ts'
import type { Profile } from './profiles/profile.ts'
import { isMisfit } from './proof.ts'
import { peerPoint } from './public-keys.ts'
import { PublicObjects } from './public-objects.ts'
import { signing } from './signatures.ts'
import { sharedSecretTemplate } from './templates.ts'

const longestModulus = 512

/** Bytes of IVs drawn at once: a call to the generator costs as much as a quarter of an encryption. */
const ivBlockLength = 4096

export class Pkcs11 {
  readonly #cryptoki: Cryptoki
  readonly #profile: Profile
  readonly #strictCustody: boolean
  readonly #capabilities: Capabilities
  readonly #keys: Keys
  readonly #publicObjects: PublicObjects
  #ivs: Buffer = Buffer.alloc(0)

  /** @param strictCustody see the configuration */
  constructor(connection: Connection, profile: Profile, strictCustody: boolean) {
    const { cryptoki, slot, session } = connection
    this.#cryptoki = cryptoki
    this.#profile = profile
    this.#strictCustody = strictCustody
    this.#capabilities = new Capabilities(cryptoki, slot)
    this.#keys = new Keys(connection)
    this.#publicObjects = new PublicObjects(cryptoki, session)
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
      return this.#decrypted(() => this.#cryptoki.decrypt(session, aesGcm(iv, aad), key, ciphertext))
    })
  }

  random(length: number): Buffer {
    return this.#keys.run(session => this.#cryptoki.random(session, length))
  }

  /** Throws UnsupportedOperationException when the token has no mechanism for keys of the spec. */
  generateKey(material: string, spec: SupportedKeySpec, usage: KeyUsageType, label: string): Promise<GeneratedKey> {
    const mechanism = this.#capabilities.keyMechanism(spec)
    const keeping = { id: Buffer.from(material, 'hex'), label, profile: this.#profile }
    return this.#keys.create(material, async session => {
      const { key, ...result } = await generateObject(this.#cryptoki, session, spec, mechanism, usage, keeping)
      return { key, result }
    })
  }

  generateKeyPair(spec: SupportedKeySpec): DataKeyPair {
    const mechanism = this.#capabilities.keyMechanism(spec)
    return this.#keys.run(session => generateDataKeyPair(this.#cryptoki, session, mechanism))
  }

  encryptRaw(key: PublicKeyUse, algorithm: EncryptionAlgorithmSpec, plaintext: Buffer): Buffer {
    const hash = oaepHash(algorithm)
    if (!this.#profile.oaepHashes.includes(hash)) return encryptOaep(key.publicKey, hash, plaintext)
    return this.#withPublicKey(key, 'ENCRYPT_DECRYPT', (session, object) =>
      this.#cryptoki.encrypt(session, rsaOaep(hash), object, plaintext, longestModulus),
    )
  }

  /** Throws InvalidCiphertextException, without text, for whatever does not decrypt. */
  decryptRaw(material: string, spec: SupportedKeySpec, algorithm: EncryptionAlgorithmSpec, ciphertext: Buffer): Buffer {
    const hash = oaepHash(algorithm)
    const onToken = this.#profile.oaepHashes.includes(hash)
    if (ciphertext.length !== modulusLength(spec)) throw new Failure('InvalidCiphertextException')
    if (!onToken && this.#strictCustody) {
      throw new Failure('UnsupportedOperationException', `The HSM does not decrypt with ${algorithm}.`)
    }
    return this.#keys.use(material, (session, key) => {
      const mechanism = onToken ? rsaOaep(hash) : rsaRaw
      const decrypted = this.#decrypted(() => this.#cryptoki.decrypt(session, mechanism, key, ciphertext))
      const plaintext = onToken ? decrypted : unpadOaepSha256(decrypted)
      if (plaintext === undefined) throw new Failure('InvalidCiphertextException')
      return plaintext
    })
  }

  sign(
    material: string,
    spec: SupportedKeySpec,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Buffer,
  ): Buffer {
    const { mechanism, input, length, toKms } = signing(spec, algorithm, type, message)
    return this.#keys.use(material, (session, key) =>
      toKms(this.#cryptoki.sign(session, mechanism, key, input, length)),
    )
  }

  verify(
    key: PublicKeyUse,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Buffer,
    signature: Buffer,
  ): boolean {
    const { mechanism, input, toToken } = signing(key.spec, algorithm, type, message)
    const converted = toToken(signature)
    if (converted === undefined) return false
    return this.#withPublicKey(key, 'SIGN_VERIFY', (session, object) =>
      this.#cryptoki.verify(session, mechanism, object, input, converted),
    )
  }

  generateMac(material: string, algorithm: MacAlgorithmSpec, message: Buffer): Buffer {
    const { mechanism, bytes } = macs[algorithm]
    return this.#keys.use(material, (session, key) => this.#cryptoki.sign(session, mechanism, key, message, bytes))
  }

  /** Tokens do not say whether they compare in constant time. */
  verifyMac(material: string, algorithm: MacAlgorithmSpec, message: Buffer, mac: Buffer): boolean {
    const right = this.generateMac(material, algorithm, message)
    const fits = right.length === mac.length && timingSafeEqual(right, mac)
    right.fill(0)
    return fits
  }

  /** @param peer DER SubjectPublicKeyInfo of a point on the key's curve */
  deriveSharedSecret(material: string, spec: SupportedKeySpec, peer: Buffer): Buffer {
    const curve = keyMechanisms[spec]!.curve!
    return this.#keys.use(material, (session, key) => {
      const template = sharedSecretTemplate(curve.coordinate)
      const secret = this.#cryptoki.deriveKey(session, ecdh(peerPoint(curve, peer)), key, template)
      try {
        return this.#cryptoki.attribute(session, secret, pkcs11js.CKA_VALUE)
      } finally {
        this.#cryptoki.destroyObject(session, secret)
      }
    })
  }

  destroyKey(material: string): void {
    this.#keys.destroy(material)
  }

  async inspectKey(key: HeldKey, look: 'quick' | 'thorough'): Promise<KeyInspection> {
    const [cryptoki, profile] = [this.#cryptoki, this.#profile]
    try {
      return await this.#keys.inspect(key.material, look, (session, found) =>
        inspectObjects({ cryptoki, session, profile }, found, key),
      )
    } catch (error) {
      // Only here, as the session that such an error leaves behind is of no use.
      if (isMisfit(error, profile)) return { fault: 'swapped' }
      throw error
    }
  }

  objects(): readonly HsmObject[] {
    return this.#keys.objects()
  }

  /** An object that is gone is made again. */
  #withPublicKey<T>(key: PublicKeyUse, usage: KeyUsageType, use: (session: Handle, object: Handle) => T): T {
    return this.#keys.run(session => {
      try {
        return use(session, this.#publicObjects.find(key, usage))
      } catch (error) {
        this.#publicObjects.forget(key.material)
        throw error
      }
    })
  }

  /** A view of a block that is never written again, so it stays what it is for as long as someone refers to it. */
  #nextIv(session: Handle): Buffer {
    const { ivLength } = this.#profile
    if (this.#ivs.length < ivLength) this.#ivs = this.#cryptoki.random(session, ivBlockLength)
    const iv = this.#ivs.subarray(0, ivLength)
    this.#ivs = this.#ivs.subarray(ivLength)
    return iv
  }

  #decrypted(decrypt: () => Buffer): Buffer {
    try {
      return decrypt()
    } catch (error) {
      if (isBadCiphertext(error, this.#profile)) throw new Failure('InvalidCiphertextException', '', { cause: error })
      throw error
    }
  }
}

/** Bytes. */
function modulusLength(spec: SupportedKeySpec): number {
  const [, bits] = keyMechanisms[spec]!.parameters.find(([type]) => type === pkcs11js.CKA_MODULUS_BITS)!
  return Number(bits) / 8
}
