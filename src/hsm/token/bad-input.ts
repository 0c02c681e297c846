/** How a token says that a ciphertext or a signature is not right. */
import { Failure } from '../../errors.ts'
import type { Profile } from '../profiles/profile.ts'
import { CryptokiError, failureFrom } from '../return-codes.ts'

export function isBadCiphertext(
  error: unknown,
  { invalidCiphertextCodes }: Pick<Profile, 'invalidCiphertextCodes'>,
): boolean {
  if (!(error instanceof CryptokiError) || error.function !== 'C_Decrypt') return false
  return saysSo(error) || invalidCiphertextCodes.includes(error.returnCode)
}

/** Beyond what Cryptoki.verify takes for an answer. */
function isBadSignature(error: unknown, { invalidSignatureCodes }: Pick<Profile, 'invalidSignatureCodes'>): boolean {
  return (
    error instanceof CryptokiError && error.function === 'C_Verify' && invalidSignatureCodes.includes(error.returnCode)
  )
}

/** With a return code that means nothing else. */
function saysSo(error: unknown): boolean {
  return failureFrom(error).code === 'InvalidCiphertext'
}

/**
 * Judges failures. Vendors say with the same codes that what they were given is wrong and that the HSM is ill: where it works, and says
 * the same when it is asked once more, it was what it was given.
 */
export class BadInput {
  readonly #profile: Profile
  readonly #works: () => Promise<boolean>

  /** @param works whether the HSM does its work: see canary.ts */
  constructor(profile: Profile, works: () => Promise<boolean>) {
    this.#profile = profile
    this.#works = works
  }

  /** Fails with InvalidCiphertext, without text, for whatever does not decrypt. */
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

  /** False for a signature that does not fit. */
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
    } catch (again) {
      if (!isBad(again)) throw again
      return refuse(again)
    }
  }
}
