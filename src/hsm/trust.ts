/** Marks the transfer key of another HSM as trusted. */
import { runChild } from './child.ts'
import { profileOf } from './profiles/find-profile.ts'
import type { Profile } from './profiles/profile.ts'
import type { TokenAddress } from './wire/token-address.ts'

/** What the process is told. */
export interface TrustArgument extends TokenAddress {
  readonly profile: Profile
  /** File whose only line is the PIN of the security officer. */
  readonly securityOfficerPinFile: string
  /** CKA_ID of the other HSM's transfer key: 64 hex digits. */
  readonly object: string
  readonly label: string
  /** Base64 of its DER SubjectPublicKeyInfo. */
  readonly publicKey: string
}

export interface TrustOptions extends Omit<TrustArgument, 'profile' | 'publicKey'> {
  /** Name of a profile in profiles/, or absolute path of a file. */
  readonly profile: string
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array
  /** The whole environment of the process that loads the library. */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * The security officer of a token puts a public key there with CKA_TRUSTED true, which only a security officer can: from then on the token
 * wraps keys with CKA_WRAP_WITH_TRUSTED under it. `present` if the token has it already; then nobody logs in. Rejects with an OperatorError
 * of one line.
 */
export function trustKey({
  environment,
  profile,
  publicKey,
  ...options
}: TrustOptions): Promise<'created' | 'present'> {
  const argument: TrustArgument = {
    ...options,
    profile: profileOf(profile),
    publicKey: Buffer.from(publicKey).toString('base64'),
  }
  return runChild('worker/truster', argument, environment)
}
