/** How a token says that a ciphertext is not right. */
import type { Profile } from './profiles/profile.ts'
import { CryptokiError, failureFrom } from './return-codes.ts'

export function isBadCiphertext(error: unknown, { badCiphertext }: Pick<Profile, 'badCiphertext'>): boolean {
  if (!(error instanceof CryptokiError) || error.function !== 'C_Decrypt') return false
  return failureFrom(error).code === 'InvalidCiphertextException' || badCiphertext.includes(error.returnCode)
}
