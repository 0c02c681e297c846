/** A KMS key of the gateway that the XKS proxy serves as an external key. */
export interface XksKey {
  /** Name of its prefix. */
  readonly prefix: string
  /** External key id, unique within the prefix. */
  readonly id: string
  /** Of the KMS key of the gateway, in account and region of the prefix. */
  readonly keyArn: string
  /** Requests for a frozen key are refused. */
  readonly frozen: boolean
  /** Whether only the first KMS key that uses it may use it. */
  readonly pinFirstUser: boolean
  /** ARN of that KMS key, of the consumer. */
  readonly pinnedTo?: string | undefined
  readonly revision: number
}
