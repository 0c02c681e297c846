/** An access key of a user. Its secret is stored encrypted under a key of the HSM. */
export interface AccessKey {
  readonly id: string
  /** ARN of the user. */
  readonly principalArn: string
  /** Ciphertext blob (see ciphertext.ts) of the secret access key; `id` is its encryption context. */
  readonly sealedSecret: Uint8Array
  readonly revision: number
}
