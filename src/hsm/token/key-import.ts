/** Brings key material onto the token, wrapped under a key that exists for this one call, and proves that it is the same key. */
import { createCipheriv, randomBytes } from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import { Failure } from '../../errors.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { ImportMethod, Profile } from '../profiles/profile.ts'
import { agreeOnce, encryptOaep } from '../public-key-crypto.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import type { Cryptoki, Handle, Template } from './cryptoki.ts'
import { custodyFaults } from './custody.ts'
import { fingerprintOf } from './fingerprint.ts'
import { type GeneratedObject, readCustody } from './key-generation.ts'
import type { KeyMaterial } from './key-material.ts'
import { wrapWithPadding } from './key-wrap.ts'
import { ecdh, type KeyMechanism, keyMechanisms, keyWrap, rsaOaep } from './mechanisms.ts'
import { attempt, inSessionOfItsOwn } from './probe.ts'
import { checkValueOf, isKeyOf } from './proof.ts'
import { peerPoint, subjectPublicKeyInfo } from './public-keys.ts'
import {
  importTemplate,
  type Keeping,
  keyEncryptionTemplate,
  publicKeyTemplate,
  trialPrivateTemplate,
} from './templates.ts'

export interface Import {
  readonly spec: SupportedKeySpec
  readonly mechanism: KeyMechanism
  readonly usage: KeyUsageType
  readonly keeping: Keeping
  readonly material: KeyMaterial
}

export interface ImportedObject extends GeneratedObject {
  readonly fingerprint: Buffer
  readonly way: Way
}

/** One way onto the token. */
export interface Way {
  readonly method: ImportMethod
  /** CKM_* to unwrap with; absent for plaintext. */
  readonly unwrapping?: number
}

/** An AES-256 key that is on both sides for one call. */
interface KeyEncryptionKey {
  readonly handle: Handle
  readonly value: Buffer
}

/** C_DeriveKey wants the length; to C_UnwrapKey the key tells it, and SoftHSM refuses to be told. */
const derivedTemplate: Template = [...keyEncryptionTemplate, [pkcs11js.CKA_VALUE_LEN, 32]]

export class KeyImporter {
  readonly #cryptoki: Cryptoki
  readonly #slot: Handle
  readonly #profile: Profile
  readonly #capabilities: Capabilities
  /** By class of the object: the way that worked last comes first. */
  readonly #ways = new Map<'secret' | 'private', readonly Way[]>()

  constructor(cryptoki: Cryptoki, slot: Handle, profile: Profile, capabilities: Capabilities) {
    this.#cryptoki = cryptoki
    this.#slot = slot
    this.#profile = profile
    this.#capabilities = capabilities
  }

  /**
   * Tries the ways of the profile until the token has the key.
   *
   * @param destroyAll objects with the CKA_ID of the key: what a refused way may have left on the token
   *
   * Rejects with UnsupportedOperation if the token refuses all of them, with its own error if it is lost or busy.
   */
  async import(wanted: Import, destroyAll: () => Promise<void>): Promise<ImportedObject> {
    const kind = wanted.material.publicKey === undefined ? 'secret' : 'private'
    const ways = this.#ways.get(kind) ?? this.#possible()
    const refusals: string[] = []
    for (const way of ways) {
      const { value, refusal } = await attempt(this.#profile, () => this.#importBy(way, wanted))
      if (refusal === undefined) {
        // Plaintext is never preferred: one refusal by chance would decide for all later imports.
        if (way.method !== 'plaintext') this.#ways.set(kind, [way, ...ways.filter(other => other !== way)])
        return { ...value, way }
      }
      refusals.push(`${way.method}: ${refusal}`)
      await destroyAll()
    }
    const cause = new Error(refusals.join('; ') || 'the HSM has none of the mechanisms')
    throw new Failure('UnsupportedOperation', 'This HSM does not import such key material.', { cause })
  }

  #possible(): readonly Way[] {
    const { importMethods, keyWrapMechanisms } = this.#profile
    const known = new Set(this.#cryptoki.mechanisms(this.#slot))
    const unwrapping = keyWrapMechanisms.filter(mechanism => known.has(mechanism))
    return importMethods.flatMap((method): Way[] =>
      method === 'plaintext' ? [{ method }] : unwrapping.map(unwrapping => ({ method, unwrapping })),
    )
  }

  /** In a session of its own, which takes its session objects with it. */
  #importBy(way: Way, wanted: Import): Promise<Omit<ImportedObject, 'way'>> {
    return inSessionOfItsOwn({ cryptoki: this.#cryptoki, slot: this.#slot }, async session => {
      const key = await this.#create(way, session, wanted)
      try {
        return { key, ...(await this.#proven(session, key, wanted)) }
      } catch (error) {
        this.#cryptoki.destroyObject(session, key)
        throw error
      }
    })
  }

  async #create({ method, unwrapping }: Way, session: Handle, { mechanism, usage, keeping, material }: Import) {
    const template = importTemplate(mechanism, usage, keeping)
    if (unwrapping === undefined) return this.#cryptoki.createObject(session, [...template, ...material.attributes])
    const { handle, value } = await this.#keyEncryptionKey(method, session)
    const iv = randomBytes(16)
    const wrapped = wrap(unwrapping, value, iv, material.wrapped)
    value.fill(0)
    return this.#cryptoki.unwrapKey(session, keyWrap(unwrapping, iv), handle, wrapped, template)
  }

  #keyEncryptionKey(method: ImportMethod, session: Handle): Promise<KeyEncryptionKey> {
    return method === 'ECDH' ? this.#agreedKey(session) : this.#transportedKey(session)
  }

  /** ECDH of two key pairs that exist for this call: NIST SP 800-56A, section 6.1.2.2; the x-coordinate is the key. */
  async #agreedKey(session: Handle): Promise<KeyEncryptionKey> {
    const cryptoki = this.#cryptoki
    const pair = keyMechanisms.ECC_NIST_P256!
    const { publicKey, privateKey } = await cryptoki.generateKeyPair(
      session,
      { mechanism: pair.generation },
      publicKeyTemplate(pair, 'KEY_AGREEMENT'),
      trialPrivateTemplate(pair, 'KEY_AGREEMENT'),
      false,
    )
    const { peer, secret } = agreeOnce(subjectPublicKeyInfo(pair, type => cryptoki.attribute(session, publicKey, type)))
    const exchange = ecdh(peerPoint(pair.curve!, peer))
    return { handle: await cryptoki.deriveKey(session, exchange, privateKey, derivedTemplate), value: secret }
  }

  /** RSAES-OAEP under a key pair that exists for this call. */
  async #transportedKey(session: Handle): Promise<KeyEncryptionKey> {
    const cryptoki = this.#cryptoki
    const pair = keyMechanisms.RSA_2048!
    const [hash = 'sha1'] = this.#profile.oaepHashes
    const { publicKey, privateKey } = await cryptoki.generateKeyPair(
      session,
      { mechanism: pair.generation },
      publicKeyTemplate(pair, 'UNWRAP'),
      trialPrivateTemplate(pair, 'UNWRAP'),
      true,
    )
    const value = randomBytes(32)
    const wrapped = encryptOaep(
      subjectPublicKeyInfo(pair, type => cryptoki.attribute(session, publicKey, type)),
      hash,
      value,
    )
    const handle = await cryptoki.unwrapKey(session, rsaOaep(hash), privateKey, wrapped, keyEncryptionTemplate)
    return { handle, value }
  }

  /** That the object is the key, and protected. */
  async #proven(session: Handle, key: Handle, { spec, usage, keeping, material }: Import) {
    const { profile } = keeping
    const custody = { ...readCustody(this.#cryptoki, session, key, profile), imported: true }
    const faults = custodyFaults(custody, { imported: true })
    if (faults.length > 0) throw new Error(`the HSM imported a key with unexpected attributes: ${faults.join(', ')}`)
    const object = { cryptoki: this.#cryptoki, session, key, profile, capabilities: this.#capabilities }
    const checkValue = await checkValueOf(object, spec)
    if (!(await isKeyOf(object, { spec, usage, checkValue, material }))) throw new Error('the HSM imported another key')
    const proofs = { checkValue, ...(material.publicKey && { publicKey: material.publicKey }) }
    return { custody, ...proofs, fingerprint: await fingerprintOf(object, spec, proofs) }
  }
}

function wrap(mechanism: number, key: Buffer, iv: Buffer, material: Buffer): Buffer {
  if (mechanism !== pkcs11js.CKM_AES_CBC_PAD) return wrapWithPadding(key, material)
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  return Buffer.concat([cipher.update(material), cipher.final()])
}
