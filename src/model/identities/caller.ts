import type { Tag } from '../keys/key.ts'
import type { Federation, RoleSession, Session } from './session.ts'

/** An authenticated caller. `type` distinguishes the kinds of callers. */
export type Caller = UserCaller | RoleCaller | WebIdentityCaller | ServiceCaller | OperatorCaller

/** Common to every caller. */
interface AnyCaller {
  /** 12 digits; empty for a service, which belongs to none. */
  readonly account: string
  /** ARN of the IAM user or of the role session, for example `arn:aws:iam::111122223333:user/administrator`; name of a service. */
  readonly arn: string
  /**
   * IAM unique id, a prefix of four letters for the kind and 17 characters; of a role session followed by a colon and its name; of a web
   * identity `PROVIDER-ARN:AUDIENCE:SUBJECT`.
   */
  readonly principalId: string
  /** Region of the credential scope: the request can use only its keys and aliases. */
  readonly region: string
  readonly accessKeyId: string
  /** Texts of the identity-based policies attached to the user or role. */
  readonly policies: readonly string[]
  /** Text of the policy that limits what the identity-based policies allow. */
  readonly permissionsBoundary?: string | undefined
  /** Of the user, or of the role and the session. */
  readonly tags: readonly Tag[]
  /** The service that calls on behalf of the user or role session. */
  readonly via?: CallingService | undefined
}

/** An IAM user, by one of its access keys or by temporary credentials. */
export interface UserCaller extends AnyCaller {
  readonly type: 'user'
  readonly userName: string
  /** Of temporary credentials (GetSessionToken). */
  readonly session?: Pick<Session, 'issuedAt' | 'expiresAt'> | undefined
}

/** A session of an IAM role. */
export interface RoleCaller
  extends AnyCaller,
    Pick<RoleSession, 'transitiveTagKeys' | 'sourceIdentity' | 'federation'> {
  readonly type: 'assumedRole'
  /** With its path, for example `arn:aws:iam::111122223333:role/service/backup`. */
  readonly roleArn: string
  readonly roleName: string
  readonly sessionName: string
  /** Texts of the policies passed when the role was assumed; absent if there were none. */
  readonly sessionPolicies?: readonly string[] | undefined
  /** When the role was assumed: milliseconds since the epoch. */
  readonly issuedAt: number
}

/** Somebody with a token of an identity provider, who assumes a role: calls nothing else. */
export interface WebIdentityCaller extends AnyCaller, Federation {
  readonly type: 'webIdentity'
  /** Without `https://`: the prefix of the condition keys of its claims. */
  readonly issuer: string
  /** Of the token, whose signature was verified. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** A service that acts for itself, perhaps for a resource: IAM User Guide, "AWS service principals". */
export interface ServiceCaller extends AnyCaller, CallingService {
  readonly type: 'service'
  /** Those in which it may act; 12 digits each. */
  readonly accounts: readonly string[]
}

/** A service, as it called. */
export interface CallingService {
  /** Service principal, for example `s3.amazonaws.com`. */
  readonly service: string
  readonly accessKeyId: string
  /** The resource for which the service acts. */
  readonly sourceArn?: string | undefined
  /** The account of that resource. */
  readonly sourceAccount?: string | undefined
}

/** Whoever may use the administration API: a user of this machine. It belongs to no account, and no policy applies. */
export interface OperatorCaller extends AnyCaller {
  readonly type: 'operator'
  /** User ID of its process, as it says itself: only the owner of the data folder can connect. */
  readonly uid: number | undefined
}

export function operator(uid: number | undefined): OperatorCaller {
  return {
    type: 'operator',
    uid,
    account: '',
    arn: '',
    principalId: 'operator',
    region: '',
    accessKeyId: '',
    policies: [],
    tags: [],
  }
}

/** When the session of temporary credentials started; undefined for an access key. */
export function issuedAt(caller: Caller): number | undefined {
  switch (caller.type) {
    case 'user':
      return caller.session?.issuedAt
    case 'assumedRole':
      return caller.issuedAt
    default:
      return undefined
  }
}

/** Whose HSM calls wait in one queue. All sessions of a role do, and all bearers of tokens of a provider: others choose how many there are. */
export function queueOf(caller: Caller): string {
  return caller.type === 'webIdentity' ? caller.provider : uniqueId(caller)
}

/** Unique id of the user, or of the role behind a session. */
export function uniqueId({ principalId }: Pick<Caller, 'principalId'>): string {
  const colon = principalId.indexOf(':')
  return colon < 0 ? principalId : principalId.slice(0, colon)
}
