/** An access key of a user. Its secret is stored encrypted under a key of the HSM. */
export interface AccessKey {
  readonly id: string
  /** ARN of the user. */
  readonly principalArn: string
  /** Ciphertext blob (see ciphertext.ts) of the secret access key; `id` is its encryption context. */
  readonly sealedSecret: Uint8Array
  /** Requests with an inactive one are refused. */
  readonly status: 'Active' | 'Inactive'
  /** Milliseconds since the epoch; absent if a version created it that did not record it. */
  readonly createdAt?: number | undefined
  readonly revision: number
}

/** The last use of an access key that is known: IAM API Reference, "AccessKeyLastUsed". */
export interface AccessKeyUse {
  readonly accessKeyId: string
  /** Milliseconds since the epoch. */
  readonly usedAt: number
  readonly region: string
  /** Service name of the signature, for example `kms`. */
  readonly service: string
  readonly sourceAddress: string
}
