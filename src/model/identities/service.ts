import type { Owner } from './policy.ts'

/**
 * An integrator that may call as a service principal, or on behalf of a caller, as services of AWS do: IAM User Guide, "AWS service
 * principals" and "Forward access sessions".
 */
export interface Service {
  /** Its service principal, for example `s3.amazonaws.com`. */
  readonly name: string
  /** ARN of the user whose access keys are the service's: it calls as nothing else. */
  readonly userArn: string
  /** Those in which it may act; 12 digits each. */
  readonly accounts: readonly string[]
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly owner?: Owner | undefined
  readonly revision: number
}
