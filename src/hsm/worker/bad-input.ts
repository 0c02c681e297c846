/** How a token says that a ciphertext or a signature is not right. */
import type { Profile } from '../profiles/profile.ts'
import { CryptokiError, failureFrom } from '../return-codes.ts'

export function isBadCiphertext(error: unknown, { badCiphertext }: Pick<Profile, 'badCiphertext'>): boolean {
  if (!(error instanceof CryptokiError) || error.function !== 'C_Decrypt') return false
  return failureFrom(error).code === 'InvalidCiphertextException' || badCiphertext.includes(error.returnCode)
}

/** Beyond what Cryptoki.verify takes for an answer. */
export function isBadSignature(error: unknown, { badSignature }: Pick<Profile, 'badSignature'>): boolean {
  return error instanceof CryptokiError && error.function === 'C_Verify' && badSignature.includes(error.returnCode)
}
