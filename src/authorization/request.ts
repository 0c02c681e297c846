import type { Caller } from '../model/identities/caller.ts'

/** What a decision is made of. Pure data: no API, no operation, no clock. */

/**
 * The values of a condition key of a request; undefined if it has none. Computed when a condition asks.
 *
 * @param name in lower case, for example `aws:principaltag/team`
 */
export type ConditionValues = (name: string) => readonly string[] | undefined

/** Who asks, as policies name it. */
export interface RequestPrincipal {
  /**
   * ARN of a user, a role session (`assumed-role/ROLE/SESSION`), a federated user or the root user of an account. Of a web identity, that of
   * its provider; of a service, its name.
   */
  readonly arn: string
  /** Of a role session: the role, with its path. */
  readonly roleArn?: string
  /** 12 digits; empty for a service. */
  readonly account: string
  /** IAM unique id: `AIDA...`, or `AROA...:SESSION`. Empty if unknown. */
  readonly principalId: string
  /** Of a service: its name, for example `s3.amazonaws.com`. */
  readonly service?: string
  /** Of a service: the resource for which it calls. */
  readonly sourceArn?: string | undefined
  /** Of a web identity: ARN of its provider. */
  readonly provider?: string
  /** Of a role session that began with a web identity. */
  readonly federation?: { readonly provider: string } | undefined
  /** Of the request: some names of services contain it. */
  readonly region?: string
}

export interface AccessRequest {
  readonly principal: RequestPrincipal
  /** With the prefix of its API. */
  readonly action: string
  /** ARN, or `*` for operations that act on no resource. */
  readonly resource: string
  /** Account that owns the resource. */
  readonly account: string
  readonly context: ConditionValues
}

/** The trust policy of a role names principals as other policies of resources do, but no resource: it stands for the role. */
export type ResourcePolicyKind = 'resource' | 'trust'

/** The policy of a resource. */
export interface ResourcePolicy {
  readonly text: string
  /** `trust` for the trust policy of a role. Default: `resource`. */
  readonly kind?: ResourcePolicyKind
  /**
   * Unique ids of the principals that the policy named when it was put, by ARN: one created again under the same name is another principal.
   * IAM User Guide, "AWS JSON policy elements: Principal".
   */
  readonly principalIds?: Readonly<Record<string, string>> | undefined
}

/** A grant that allows a request, and which of the caller's principals it names. */
export interface FittingGrant {
  readonly id: string
  readonly grantee: 'caller' | 'role' | 'account'
}

/** Everything that has a say in a decision. Policies are JSON texts. */
export interface Policies {
  readonly identity: readonly string[]
  readonly boundary?: string | undefined
  /** Absent: the session has none. */
  readonly session?: readonly string[] | undefined
  /** Absent: the resource has no policy, and only the identity-based policies decide. */
  readonly resource?: ResourcePolicy | undefined
  /**
   * Asked only if no policy has decided.
   *
   * @param near for an explanation: a grant that would allow the request but for its constraints
   */
  readonly grant?: ((near?: boolean) => FittingGrant | undefined) | undefined
}

export type Decision =
  | {
      readonly allowed: true
      readonly outcome: 'Allow'
      /** One sentence. */
      readonly reason: string
    }
  | {
      readonly allowed: false
      readonly outcome: 'ExplicitDeny' | 'ImplicitDeny'
      /** What AWS's message says after the resource. */
      readonly because: string
    }

/** The policies that a caller brings along. */
export function policiesOf(caller: Caller): Pick<Policies, 'identity' | 'boundary' | 'session'> {
  return {
    identity: caller.policies,
    boundary: caller.permissionsBoundary,
    session: caller.type === 'assumedRole' ? caller.sessionPolicies : undefined,
  }
}
