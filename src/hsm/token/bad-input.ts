/** Tells invalid ciphertexts and signatures from a faulty HSM, where return codes are ambiguous. */
import { Failure } from '../../errors.ts'
import type { Profile } from '../profiles/profile.ts'
import { CryptokiError, classOf, failureFrom } from '../return-codes.ts'
import { incorrect } from './key-material.ts'

/** The token says that it does not do this, rather than that it is lost or busy. */
export function isRefusal(
  error: unknown,
  { throttlingCodes }: Pick<Profile, 'throttlingCodes'>,
): error is CryptokiError {
  if (!(error instanceof CryptokiError) || throttlingCodes.includes(error.returnCode)) return false
  return ['caller', 'unknown'].includes(classOf(error.code))
}

export function isBadCiphertext(
  error: unknown,
  { invalidCiphertextCodes }: Pick<Profile, 'invalidCiphertextCodes'>,
): boolean {
  if (!(error instanceof CryptokiError) || error.function !== 'C_Decrypt') return false
  return saysSo(error) || invalidCiphertextCodes.includes(error.returnCode)
}

/** Of C_UnwrapKey: the wrapped key is invalid in any way, or no key of that type. */
export function isBadWrappedKey(
  error: unknown,
  profile: Pick<Profile, 'invalidCiphertextCodes' | 'throttlingCodes'>,
): error is CryptokiError {
  if (!(error instanceof CryptokiError) || error.function !== 'C_UnwrapKey') return false
  if (profile.invalidCiphertextCodes.includes(error.returnCode)) return true
  return isRefusal(error, profile) && !notSupported.has(error.returnCode)
}

/** Return codes of C_UnwrapKey that do not depend on what is unwrapped. */
const notSupported: ReadonlySet<string> = new Set([
  'CKR_FUNCTION_NOT_SUPPORTED',
  'CKR_MECHANISM_INVALID',
  'CKR_MECHANISM_PARAM_INVALID',
])

/** The token has unwrapped something, but refuses it as a key, or cannot use it. */
export class UnfitKey extends CryptokiError {
  readonly reason: string

  /** @param refusal of the token. @param reason for the caller */
  constructor({ function: name, code }: CryptokiError, reason: string) {
    super(name, code)
    this.reason = reason
  }
}

/** Beyond the standard codes, which Cryptoki.verify answers with false. */
function isBadSignature(error: unknown, { invalidSignatureCodes }: Pick<Profile, 'invalidSignatureCodes'>): boolean {
  return (
    error instanceof CryptokiError && error.function === 'C_Verify' && invalidSignatureCodes.includes(error.returnCode)
  )
}

/** With a return code that has no other meaning. */
function saysSo(error: unknown): boolean {
  return failureFrom(error).code === 'InvalidCiphertext'
}

/**
 * Vendors use the same return codes for invalid input and for a fault of the HSM. The input is at fault if the HSM works and rejects the
 * input a second time.
 */
export class BadInput {
  readonly #profile: Profile
  readonly #works: () => Promise<boolean>

  /** @param works whether the HSM works: see canary.ts */
  constructor(profile: Profile, works: () => Promise<boolean>) {
    this.#profile = profile
    this.#works = works
  }

  /** Rejects with InvalidCiphertext, without a message, if the ciphertext is invalid in any way. */
  async decrypted<T>(decrypt: () => Promise<T>): Promise<T> {
    try {
      return await decrypt()
    } catch (error) {
      const isBad = (error: unknown) => isBadCiphertext(error, this.#profile)
      const refuse = (cause: unknown) => {
        throw new Failure('InvalidCiphertext', '', { cause })
      }
      if (isBad(error) && saysSo(error)) refuse(error)
      return this.#judged(error, decrypt, isBad, refuse)
    }
  }

  /** Rejects with InvalidCiphertext, without a message, if it does not unwrap, and with IncorrectKeyMaterial if it is no key that works. */
  async unwrapped<T>(unwrap: () => Promise<T>): Promise<T> {
    try {
      return await unwrap()
    } catch (error) {
      const isBad = (error: unknown) =>
        error instanceof UnfitKey || isBadWrappedKey(error, this.#profile) || isBadCiphertext(error, this.#profile)
      return this.#judged(error, unwrap, isBad, cause => {
        if (cause instanceof UnfitKey) throw incorrect(cause.reason, cause)
        throw new Failure('InvalidCiphertext', '', { cause })
      })
    }
  }

  /** False for an invalid signature. */
  async verified(verify: () => Promise<boolean>): Promise<boolean> {
    try {
      return await verify()
    } catch (error) {
      const isBad = (error: unknown) => isBadSignature(error, this.#profile)
      return this.#judged(error, verify, isBad, () => false)
    }
  }

  async #judged<T>(
    error: unknown,
    attempt: () => Promise<T>,
    isBad: (error: unknown) => boolean,
    refuse: (error: unknown) => T,
  ): Promise<T> {
    if (!isBad(error) || !(await this.#works())) throw error
    try {
      return await attempt()
    } catch (second) {
      if (!isBad(second)) throw second
      return refuse(second)
    }
  }
}
