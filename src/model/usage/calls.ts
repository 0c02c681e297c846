/** Calls that have all of these in common. An empty text stands for what they do not have. */
export interface Calls {
  /** Who pays: the account of the caller, whosever key it is, or that of the key, if a service calls for itself. */
  readonly account: string
  readonly keyArn: string
  /** Wire name, or `reEncryptFrom`. */
  readonly operation: string
  /** Key spec of data key pairs. */
  readonly pairSpec: string
  /** Empty on success. */
  readonly errorCode: string
  readonly calls: number
}

/** IAM action of ReEncrypt on the source key: such a call is counted a second time as this, if its keys differ. */
export const reEncryptFrom = 'ReEncryptFrom'
