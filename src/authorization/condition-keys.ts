import type { Caller } from '../model/identities/caller.ts'
import type { AccessRequest } from './authorize.ts'

/** The values of a condition key, whose name is case-insensitive; none if the request has no such key. Computed on demand. */
export function conditionValues(request: AccessRequest, key: string): readonly string[] {
  const value = globalKeys.get(key.toLowerCase())?.(request)
  return value === undefined ? [] : [value]
}

/** IAM User Guide, "AWS global condition context keys". */
const globalKeys = new Map<string, (request: AccessRequest) => string | undefined>([
  ['aws:currenttime', ({ context }) => context && new Date(context.startedAt).toISOString()],
  ['aws:epochtime', ({ context }) => context && String(Math.floor(context.startedAt / 1000))],
  ['aws:principalaccount', ({ caller }) => caller.account],
  ['aws:principalarn', ({ caller }) => caller.arn],
  ['aws:principaltype', ({ caller }) => principalTypes[caller.type]],
  ['aws:requestedregion', ({ caller }) => caller.region],
  ['aws:securetransport', ({ context }) => context && String(context.secure)],
  ['aws:sourceip', ({ context }) => context?.sourceAddress],
  ['aws:useragent', ({ context }) => context?.userAgent],
  ['aws:userid', ({ caller }) => caller.principalId],
  ['aws:username', ({ caller }) => caller.userName],
])

const principalTypes: Record<Caller['type'], string> = { user: 'User' }
