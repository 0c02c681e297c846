import { type Api, type ApiRequest, headerOf } from './apis/api.ts'
import { globalConditionKeys } from './authorization/global-condition-keys.ts'
import { type ConditionValues, policiesOf } from './authorization/request.ts'
import { Failure } from './errors.ts'
import { conditionValues } from './model/condition-keys.ts'
import type { Caller } from './model/identities/caller.ts'
import type { AnyOperation, Permission, Target } from './operations/operation.ts'
import type { Entry, PathServices } from './services.ts'

/** Whether a caller may do what a request asks for. */

/** A request of an authenticated caller for a known operation. */
export interface Call {
  readonly request: ApiRequest
  readonly api: Api
  readonly entry: Entry
  readonly caller: Caller
  readonly operation: AnyOperation
  readonly input: Readonly<Record<string, unknown>>
}

/** Throws AccessDenied unless the caller has every permission. */
export function checkPermissions(target: Target, call: Call, { authorize }: PathServices): void {
  const { api, caller } = call
  const own = policiesOf(caller)
  const global = globalConditionKeys(caller, requestContext(call))
  for (const permission of target.permissions) {
    const { resource, account, resourcePolicy, grant, named = resource } = permission
    const action = api.actionPrefix + permission.action
    const context = contextOf(permission, target, call, global)
    const request = { principal: caller, action, resource, account, context }
    const decision = authorize(request, { ...own, resource: resourcePolicy, grant })
    if (decision.allowed) continue
    const denial = `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${named} ${decision.because}`
    throw new Failure('AccessDenied', permission.denial ?? denial)
  }
}

function requestContext({ request, entry: { sourceAddress, userAgent, startedAt } }: Call) {
  return { sourceAddress, userAgent, startedAt, secure: request.secure, referer: headerOf(request, 'referer') }
}

/** Nothing is computed until a condition asks. */
function contextOf(
  { action, conditionKeys: ofResource }: Permission,
  target: Target,
  { operation, input, caller }: Call,
  global: ConditionValues,
): ConditionValues {
  const ofOperation = operation.conditionKeys
  return name =>
    ofResource?.(name) ??
    (ofOperation && conditionValues(ofOperation, name, { input, target, caller, action })) ??
    global(name)
}
