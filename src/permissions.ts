import { type Api, type ApiRequest, headerOf } from './apis/api.ts'
import { shortList } from './audit/limits.ts'
import { globalConditionKeys } from './authorization/global-condition-keys.ts'
import { type AccessRequest, type ConditionValues, type Policies, policiesOf } from './authorization/request.ts'
import { AccessDenied } from './errors.ts'
import { conditionValues } from './model/condition-keys.ts'
import type { Caller } from './model/identities/caller.ts'
import type { AnyOperation, Permission, Target } from './operations/operation.ts'
import type { Entry, PathServices } from './services.ts'

/** Whether a caller may do what a request asks for, and what a refusal says: to the caller, in the log and on record. */

/** A request of an authenticated caller for a known operation. */
export interface Call {
  readonly request: ApiRequest
  readonly api: Api
  readonly entry: Entry
  readonly caller: Caller
  readonly operation: AnyOperation
  readonly input: Readonly<Record<string, unknown>>
}

type Policing = Pick<PathServices, 'authorize' | 'explain'>

/** Why the caller has every permission. Throws AccessDenied otherwise. */
export function checkPermissions(target: Target, call: Call, policing: Policing): readonly string[] {
  const { api, caller } = call
  const allowances = new Set<string>()
  const own = policiesOf(caller)
  for (const permission of target.permissions) {
    const { resource, account } = permission
    const { resourcePolicy, grant } = mayActIn(caller, account) ? permission : {}
    const action = api.actionPrefix + permission.action
    const request = {
      principal: caller,
      action,
      resource,
      account,
      context: contextOf(permission, target, call, false),
    }
    const policies = { ...own, resource: resourcePolicy, grant }
    const decision = policing.authorize(request, policies)
    if (decision.allowed) {
      allowances.add(decision.reason)
      continue
    }
    const missing = requestForMissing(permission, request, target, call)
    const because = (missing && hidden(request, policies, missing, policing)) ?? decision.because
    const explained = policing.explain(request, policies).map(({ text }) => text)
    const reasons = shortList(permission.reason === undefined ? explained : [permission.reason, ...explained])
    const explicitDeny = decision.outcome === 'ExplicitDeny'
    throw new AccessDenied(denial(permission, request, because), { action, resource, reasons, explicitDeny })
  }
  return [...allowances]
}

/** A service acts in some accounts only: whatever the policies of the others say. Its own keys belong to none. */
export function mayActIn(caller: Caller, account: string): boolean {
  return caller.type !== 'service' || account === caller.account || caller.accounts.includes(account)
}

/** A check of key policies that decides whether the caller could change them later by what is known of the present request. */
export function checkedInCall(
  call: Call,
  { checkKeyPolicy }: Pick<PathServices, 'checkKeyPolicy'>,
): PathServices['checkKeyPolicy'] {
  return policy => {
    const global = globalContext(call)
    return checkKeyPolicy({ ...policy, context: name => policy.context?.(name) ?? global(name) })
  }
}

function denial(permission: Permission, { principal, action, resource }: AccessRequest, because: string): string {
  const what = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${permission.named ?? resource}`
  return permission.denial ?? `${what} ${because}`
}

/** The condition keys of a permission. Nothing is computed until a condition asks. */
function contextOf(
  { action, conditionKeys: ofResource }: Pick<Permission, 'action' | 'conditionKeys'>,
  target: Target,
  call: Call,
  asMissing: boolean,
): ConditionValues {
  return name => {
    const { operation, input, caller, entry } = call
    const ofOperation = operation.conditionKeys
    return (
      ofResource?.(name) ??
      (ofOperation &&
        conditionValues(ofOperation, name, { input, target, caller, action, now: entry.startedAt, asMissing })) ??
      globalContext(call)(name)
    )
  }
}

function globalContext({ request, entry, caller }: Call): ConditionValues {
  const { sourceAddress, userAgent, startedAt } = entry
  const referer = headerOf(request, 'referer')
  return globalConditionKeys(caller, { sourceAddress, userAgent, referer, secure: request.secure, startedAt })
}

/** The request as it would be if a resource of another account did not exist. */
function requestForMissing(
  { action, asMissing }: Permission,
  request: AccessRequest,
  target: Target,
  call: Call,
): AccessRequest | undefined {
  if (!asMissing) return undefined
  const { resource, conditionKeys } = asMissing
  return { ...request, resource, context: contextOf({ action, conditionKeys }, target, call, true) }
}

/**
 * What is said instead to another account, from which a resource that is not shared with it is hidden: the same as if there were none. Else
 * a caller could find out what it is by conditions in its own policies.
 */
function hidden(
  request: AccessRequest,
  { resource, grant, ...own }: Policies,
  missing: AccessRequest,
  { authorize }: Policing,
): string | undefined {
  if (authorize(request, { identity: [everything], resource, grant }).allowed) return undefined
  const decision = authorize(missing, own)
  return decision.allowed ? undefined : decision.because
}

const everything = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
