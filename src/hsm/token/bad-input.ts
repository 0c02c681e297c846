/** Tells invalid ciphertexts and signatures from a faulty HSM, where return codes are ambiguous. */
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
