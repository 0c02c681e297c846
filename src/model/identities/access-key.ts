/** An access key of a user, or the temporary one of a role session. Its secret is stored encrypted under a key of the HSM. */
export interface AccessKey {
  readonly id: string
  /** ARN of the user or role. */
  readonly principalArn: string
  /** Ciphertext blob (see ciphertext.ts) of the secret access key; `id` is its encryption context. */
  readonly sealedSecret: Uint8Array
  /** Hex SHA-256 of the session token that must accompany a temporary access key. */
  readonly sessionTokenHash?: string | undefined
  /** Milliseconds since the epoch; only temporary access keys expire. */
  readonly expiresAt?: number | undefined
  /** Of an access key of a role, and of no other. */
  readonly session?: RoleSession | undefined
  readonly revision: number
}

/** A session of an IAM role: STS API Reference, "AssumeRole". */
export interface RoleSession {
  readonly name: string
  /** Texts of the policies passed when the role was assumed; absent if there were none. */
  readonly policies?: readonly string[] | undefined
  /** When the role was assumed: milliseconds since the epoch. */
  readonly issuedAt: number
}
