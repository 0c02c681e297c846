import type { Caller } from '../model/identities/caller.ts'
import { globMatches } from './glob.ts'
import { parsePolicyDocument, type Statement } from './policy-document.ts'

/** What the caller wants to do, and with what. */
export interface AccessRequest {
  readonly caller: Pick<Caller, 'account' | 'arn' | 'policies'>
  readonly action: string
  /** ARN, or `*` for operations that act on no resource. */
  readonly resource: string
  /** What a denial names instead. */
  readonly named?: string | undefined
  /** Account that owns the resource. */
  readonly account: string
  /** Text of the key policy; absent where only the caller's own policies decide. */
  readonly resourcePolicy?: string | undefined
}

export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly message: string }

/**
 * Decides as AWS does: KMS Developer Guide, "Determining access to KMS keys"; IAM User Guide, "Policy evaluation logic".
 *
 * | the policies say                                                     | decision |
 * |----------------------------------------------------------------------|----------|
 * | any statement denies                                                 | denied   |
 * | no key policy, same account, the caller's policies allow             | allowed  |
 * | same account, the key policy names the caller                        | allowed  |
 * | same account, the key policy names the account, and theirs allow     | allowed  |
 * | other account, the key policy names either, and theirs allow         | allowed  |
 * | anything else                                                        | denied   |
 *
 * Pure: no clock, no I/O.
 */
export function authorize(request: AccessRequest): Decision {
  const { caller, account, resourcePolicy } = request
  const local = account === caller.account
  const identity = identityVerdict(request)
  if (identity === 'deny') return denied(request, 'with an explicit deny in an identity-based policy')
  if (resourcePolicy === undefined) {
    if (!local) return denied(request, notShared)
    return identity === 'allow' ? allowed : denied(request, noIdentityPolicy(request))
  }
  const key = keyPolicyVerdict(request, resourcePolicy)
  if (key.denies) return denied(request, local ? 'with an explicit deny in a resource-based policy' : notShared)
  if (!local) {
    if (!key.caller && !key.account) return denied(request, notShared)
    return identity === 'allow' ? allowed : denied(request, noIdentityPolicy(request))
  }
  if (key.caller) return allowed
  if (!key.account) return denied(request, `because no resource-based policy allows the ${request.action} action`)
  return identity === 'allow' ? allowed : denied(request, noIdentityPolicy(request))
}

const allowed: Decision = { allowed: true }

/** One text whether the key is missing or not shared: another account must not learn which. */
const notShared =
  'because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access'

function noIdentityPolicy({ action }: AccessRequest): string {
  return `because no identity-based policy allows the ${action} action`
}

function denied({ caller, action, resource, named = resource }: AccessRequest, reason: string): Decision {
  const message = `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${named} ${reason}`
  return { allowed: false, message }
}

function identityVerdict({ caller, action, resource }: AccessRequest): 'allow' | 'deny' | 'silent' {
  let verdict: 'allow' | 'silent' = 'silent'
  for (const text of caller.policies) {
    for (const statement of parsePolicyDocument(text, 'identity').statements) {
      if (!covers(statement, action, resource)) continue
      if (statement.effect === 'Deny') return 'deny'
      verdict = 'allow'
    }
  }
  return verdict
}

interface KeyPolicyVerdict {
  readonly denies: boolean
  /** Whether a statement allows the caller itself. */
  readonly caller: boolean
  /** Whether a statement allows the caller's account, which lets the account's own policies decide. */
  readonly account: boolean
}

function keyPolicyVerdict({ caller, action, resource }: AccessRequest, policy: string): KeyPolicyVerdict {
  const verdict = { denies: false, caller: false, account: false }
  for (const statement of parsePolicyDocument(policy, 'key').statements) {
    if (!covers(statement, action, resource)) continue
    const named = namedBy(statement, caller)
    if (!named) continue
    if (statement.effect === 'Deny') verdict.denies = true
    else verdict[named] = true
  }
  return verdict
}

function covers({ actions, resources }: Statement, action: string, resource: string): boolean {
  const lower = action.toLowerCase()
  return actions.some(p => globMatches(p, lower)) && resources.some(p => globMatches(p, resource))
}

function namedBy({ principals = [] }: Statement, caller: AccessRequest['caller']): 'caller' | 'account' | undefined {
  if (principals.some(name => name === '*' || name === caller.arn)) return 'caller'
  const { account } = caller
  return principals.some(name => name === account || isAccountPrincipal(name, account)) ? 'account' : undefined
}

function isAccountPrincipal(name: string, account: string): boolean {
  return name.endsWith(`:iam::${account}:root`)
}
