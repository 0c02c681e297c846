/**
 * Unwraps key material on the token, with a key of the token, and checks there what came out: nobody else sees it. What the token cannot
 * unwrap, a worker decrypts and imports, if it may.
 */
import { Failure } from '../../errors.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import {
  type WrappingAlgorithm,
  wrappingAlgorithms,
  wrappingAlgorithmsOf,
} from '../../model/keys/wrapping-algorithm.ts'
import type { WrappedMaterial } from '../hsm.ts'
import type { Profile } from '../profiles/profile.ts'
import { CryptokiError } from '../return-codes.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { isBadWrappedKey, isRefusal, UnfitKey } from './bad-input.ts'
import { keyWrapsWithPadding, unwraps } from './capabilities.ts'
import type { Cryptoki, Handle, Template } from './cryptoki.ts'
import { custodyFaults } from './custody.ts'
import { fingerprintOf } from './fingerprint.ts'
import { readCustody } from './key-generation.ts'
import type { Import, ImportedObject, KeyImporter } from './key-import.ts'
import { checkLength, incorrect, notImported, readKeyMaterial } from './key-material.ts'
import { keyEncryptionKeyLength, unwrapWithPadding } from './key-wrap.ts'
import { isPair, modulusLength, rsaOaep } from './mechanisms.ts'
import { inSessionOfItsOwn } from './probe.ts'
import { checkValueOf, isMisfit, isSameKey } from './proof.ts'
import { lengthOf } from './secret-length.ts'
import { decryptOaep } from './steps.ts'
import { importTemplate, keyEncryptionTemplate, trialPrivateTemplate, uselessTemplate } from './templates.ts'
import { checkUnwrapped } from './unwrapped-attributes.ts'
import { unwrappedPublicKey } from './unwrapped-public-key.ts'

/** The wrapped bytes, in their parts. */
interface Wrapped {
  readonly algorithm: WrappingAlgorithm
  /** An RSAES-OAEP block. */
  readonly block: Buffer
  /** What is wrapped under the AES key in the block; empty if the block holds the key material itself. */
  readonly rest: Buffer
}

export interface Unwrapping extends Omit<Import, 'material'> {
  readonly wrapped: Omit<WrappedMaterial, 'bytes' | 'wrappingKey'> & { readonly bytes: Buffer }
}

export type UnwrappedObject = Omit<ImportedObject, 'way'>

/** Makes another object of the same key material. */
type Unwrap = (template: Template) => Promise<Handle>

export interface UnwrapperOptions {
  readonly cryptoki: Cryptoki
  readonly slot: Handle
  readonly profile: Profile
  readonly capabilities: Capabilities
  /** For what a worker bridges. */
  readonly importer: KeyImporter
  /** Whether it may. */
  readonly bridges: boolean
}

export class KeyUnwrapper {
  readonly #options: UnwrapperOptions
  /** CKM_* that the token has. */
  readonly #mechanisms: ReadonlySet<number>
  /** CKM_* of AES key wrap with padding. */
  readonly #keyWraps: readonly number[]

  constructor(options: UnwrapperOptions) {
    const { cryptoki, slot, profile } = options
    this.#options = options
    this.#mechanisms = new Set(cryptoki.mechanisms(slot))
    this.#keyWraps = keyWrapsWithPadding(profile, this.#mechanisms)
  }

  #unwraps(spec: SupportedKeySpec, algorithm: WrappingAlgorithm): boolean {
    return unwraps(this.#options.profile, this.#mechanisms, spec, algorithm)
  }

  /** Throws UnsupportedOperation unless the token unwraps it without the help of a worker. */
  requireAlone(spec: SupportedKeySpec, algorithm: WrappingAlgorithm): void {
    if (!this.#unwraps(spec, algorithm)) throw notImported(whatIsUnwrapped(spec, { algorithm }))
  }

  /** Whether wrapping keys for keys of a spec have to decrypt. */
  needsDecryption(spec: SupportedKeySpec): boolean {
    const isBridged = (algorithm: WrappingAlgorithm) => !this.#unwraps(spec, algorithm)
    return this.#options.bridges && wrappingAlgorithmsOf(spec).some(isBridged)
  }

  /**
   * Rejects with the error of the token, which bad-input.ts explains, or with IncorrectKeyMaterial. After a refusal nothing is left.
   *
   * @param destroyAll objects with the CKA_ID of the key: what a refused call may have left on the token
   */
  async unwrap(wrappingKey: Handle, wanted: Unwrapping, destroyAll: () => Promise<void>): Promise<UnwrappedObject> {
    const wrapped = partsOf(wanted.wrapped)
    if (!this.#unwraps(wanted.spec, wrapped.algorithm)) {
      return this.#bridge(wrappingKey, wanted, wrapped, destroyAll)
    }
    try {
      return await this.#unwrapOnToken(wrappingKey, wanted, wrapped)
    } catch (error) {
      if (error instanceof CryptokiError && !isRefusal(error, this.#options.profile)) throw error
      await destroyAll()
      throw error
    }
  }

  /** In a session of its own, which takes its session objects with it. */
  #unwrapOnToken(wrappingKey: Handle, wanted: Unwrapping, wrapped: Wrapped): Promise<UnwrappedObject> {
    const { cryptoki, slot } = this.#options
    return inSessionOfItsOwn({ cryptoki, slot }, async session => {
      const unwrap = await this.#opened(session, wrappingKey, wrapped)
      const key = await this.#created(session, unwrap, wanted)
      try {
        return { key, ...(await this.#proven(session, key, unwrap, wanted)) }
      } catch (error) {
        cryptoki.destroyObject(session, key)
        throw error
      }
    })
  }

  async #opened(session: Handle, wrappingKey: Handle, { algorithm, block, rest }: Wrapped): Promise<Unwrap> {
    const { cryptoki, profile } = this.#options
    const { hash, usesKeyWrap } = wrappingAlgorithms[algorithm]
    const open: Unwrap = template => cryptoki.unwrapKey(session, rsaOaep(hash), wrappingKey, block, template)
    if (!usesKeyWrap) return open
    const encryptionKey = await open(keyEncryptionTemplate)
    const length = await lengthOf({ cryptoki, session, key: encryptionKey, profile }, open, this.#keyWraps)
    if (length !== undefined && length.most !== keyEncryptionKeyLength) throw new Failure('InvalidCiphertext')
    return template => this.#unwrapWithPadding(session, encryptionKey, rest, template)
  }

  /** 0x210a pads as in RFC 5649 on some tokens and as in PKCS #7 on others, which find that the wrapped key is invalid. */
  async #unwrapWithPadding(session: Handle, key: Handle, wrapped: Buffer, template: Template): Promise<Handle> {
    const { cryptoki, profile } = this.#options
    let refusal: unknown
    for (const mechanism of this.#keyWraps) {
      try {
        return await cryptoki.unwrapKey(session, { mechanism }, key, wrapped, template)
      } catch (error) {
        if (!isRefusal(error, profile)) throw error
        if (refusal === undefined || isBadWrappedKey(error, profile)) refusal = error
      }
    }
    throw refusal
  }

  /** Where the token refuses, it is asked whether that is for the wrapping or for what was wrapped. */
  async #created(session: Handle, unwrap: Unwrap, { spec, mechanism, usage, keeping }: Unwrapping): Promise<Handle> {
    const { cryptoki, profile } = this.#options
    try {
      return await unwrap(importTemplate(mechanism, usage, keeping))
    } catch (error) {
      if (!isBadWrappedKey(error, profile)) throw error
      const useless = await unwrap(uselessTemplate).catch(() => undefined)
      if (useless === undefined) throw error
      cryptoki.destroyObject(session, useless)
      throw new UnfitKey(error, `the HSM refuses it as a key of key spec ${spec}`)
    }
  }

  /** That the object is a key of that spec, protected, and works. */
  async #proven(session: Handle, key: Handle, unwrap: Unwrap, { spec, mechanism, usage, keeping }: Unwrapping) {
    const { cryptoki, profile, capabilities } = this.#options
    const object = { cryptoki, session, key, profile, capabilities }
    checkUnwrapped(object, spec, mechanism)
    const isSecret = !isPair(mechanism)
    const length = isSecret ? await lengthOf(object, unwrap, this.#keyWraps) : undefined
    if (length !== undefined) checkLength(spec, mechanism, length)
    const custody = { ...readCustody(cryptoki, session, key, profile), imported: true }
    const faults = custodyFaults(custody, { ...keeping, imported: true })
    if (faults.length > 0) throw notImported(`it says that the key is not protected (${faults.join(', ')})`)
    try {
      const signer = () => unwrap(trialPrivateTemplate(mechanism, 'SIGN_VERIFY'))
      const publicKey = isSecret ? undefined : await unwrappedPublicKey(object, spec, mechanism, signer)
      const checkValue = await checkValueOf(object, spec)
      const works = await isSameKey(object, { object: '', spec, usage, publicKey, checkValue })
      if (!works) throw incorrect('it does not work')
      if (isSecret && length === undefined) throw notImported('it does not tell how long a key is')
      const proofs = { checkValue, ...(publicKey && { publicKey }) }
      return { custody, ...proofs, fingerprint: await fingerprintOf(object, spec, proofs) }
    } catch (error) {
      const isUnusable = error instanceof CryptokiError && (isMisfit(error, profile) || isRefusal(error, profile))
      throw isUnusable ? new UnfitKey(error, 'the HSM cannot use it') : error
    }
  }

  /** The worker sees the key material: what it decrypts is read strictly, and imported as importKey does. */
  async #bridge(
    wrappingKey: Handle,
    { wrapped: _, ...wanted }: Unwrapping,
    wrapped: Wrapped,
    destroyAll: () => Promise<void>,
  ): Promise<UnwrappedObject> {
    const { importer, bridges } = this.#options
    const { spec, mechanism } = wanted
    const { usesKeyWrap } = wrappingAlgorithms[wrapped.algorithm]
    if (!bridges)
      throw notImported(`${whatIsUnwrapped(spec, wrapped)}, and the configuration does not allow a worker to`)
    const opened = await this.#decrypted(wrappingKey, spec, wrapped)
    const bytes = opened && usesKeyWrap ? unwrapWithPadding(opened, wrapped.rest) : opened
    try {
      if (bytes === undefined) throw new Failure('InvalidCiphertext')
      const material = readKeyMaterial(spec, mechanism, bytes)
      try {
        const { way: _way, custody, ...result } = await importer.import({ ...wanted, material }, destroyAll)
        return { ...result, custody: { ...custody, bridged: true } }
      } finally {
        material.wrapped.fill(0)
      }
    } finally {
      opened?.fill(0)
      bytes?.fill(0)
    }
  }

  /** Undefined if the padding is invalid. */
  async #decrypted(key: Handle, spec: SupportedKeySpec, wrapped: Wrapped): Promise<Buffer | undefined> {
    const { cryptoki, slot, profile } = this.#options
    const { hash } = wrappingAlgorithms[wrapped.algorithm]
    try {
      return await inSessionOfItsOwn({ cryptoki, slot }, session =>
        decryptOaep({ cryptoki, session, key }, hash, profile.oaepHashes.includes(hash), wrapped.block),
      )
    } catch (error) {
      const mayNot = error instanceof CryptokiError && error.returnCode === 'CKR_KEY_FUNCTION_NOT_PERMITTED'
      if (!mayNot) throw error
      throw notImported(
        `${whatIsUnwrapped(spec, wrapped)}, and its wrapping key was created when no worker was allowed to`,
        error,
      )
    }
  }
}

function whatIsUnwrapped(spec: SupportedKeySpec, { algorithm }: Pick<Wrapped, 'algorithm'>): string {
  return `it cannot unwrap key spec ${spec} under ${algorithm}`
}

/** KMS API Reference, ImportKeyMaterial: bytes of EncryptedKeyMaterial. */
const longest = 6144
/** RFC 5649, section 3: bytes of a block, and of the shortest output. */
const [wrapBlock, shortestWrapped] = [8, 16]

/** Throws InvalidCiphertext if the lengths do not fit. */
function partsOf({ wrappingSpec, algorithm, bytes }: Unwrapping['wrapped']): Wrapped {
  const length = modulusLength(wrappingSpec)
  const [block, rest] = [bytes.subarray(0, length), bytes.subarray(length)]
  const isRest = wrappingAlgorithms[algorithm].usesKeyWrap
    ? rest.length % wrapBlock === 0 && rest.length >= shortestWrapped
    : rest.length === 0
  if (bytes.length > longest || block.length < length || !isRest) throw new Failure('InvalidCiphertext')
  return { algorithm, block, rest }
}
