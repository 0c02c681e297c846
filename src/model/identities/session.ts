import type { Tag } from '../keys/key.ts'

/**
 * A session of a user or role: what temporary credentials stand for. It is stored nowhere: its session token holds it, sealed by an HSM.
 * IAM User Guide, "Temporary security credentials in IAM".
 */
export interface Session {
  /** `ASIA...` */
  readonly accessKeyId: string
  /** IAM unique id of the user or role: the session ends with it. */
  readonly principalId: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  /** The first millisecond at which it is expired. */
  readonly expiresAt: number
  /** Absent: a session of a user (GetSessionToken). */
  readonly role?: RoleSession | undefined
}

/** What was passed when a role was assumed: STS API Reference, "AssumeRole". */
export interface RoleSession {
  readonly name: string
  /** Texts of the session policies, managed ones included; absent if there were none. */
  readonly policies?: readonly string[] | undefined
  /** They override tags of the role. */
  readonly tags?: readonly Tag[] | undefined
  /** Keys of the tags that are passed on when the session assumes another role. */
  readonly transitiveTagKeys?: readonly string[] | undefined
  readonly sourceIdentity?: string | undefined
  /** Whether another role session assumed the role. */
  readonly chained?: boolean | undefined
  /** Of a session that started with a web identity token. */
  readonly federation?: Federation | undefined
}

/** Who called, as an identity provider said it. */
export interface Federation {
  /** ARN of the OIDC provider. */
  readonly provider: string
  readonly subject: string
  readonly audience: string
}

/** A new session, with what only its caller learns. */
export interface NewSession extends Session {
  /** Secret access key. */
  readonly secret: string
}
