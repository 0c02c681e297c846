import type { Caller } from '../model/identities/caller.ts'
import type { ConditionValues } from './request.ts'

/** What a request contributes to condition keys, besides its caller. */
export interface RequestContext {
  readonly sourceAddress: string
  readonly userAgent: string | undefined
  /** Whether the request came over TLS. */
  readonly secure: boolean
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/** The condition keys that do not depend on the operation. */
export function globalConditionKeys(caller: Caller, context: RequestContext): ConditionValues {
  return name => {
    const value = globalKeys.get(name)?.(caller, context)
    return value === undefined ? undefined : [value]
  }
}

/** IAM User Guide, "AWS global condition context keys". */
const globalKeys = new Map<string, (caller: Caller, context: RequestContext) => string | undefined>([
  ['aws:currenttime', (_, { startedAt }) => new Date(startedAt).toISOString()],
  ['aws:epochtime', (_, { startedAt }) => String(Math.floor(startedAt / 1000))],
  ['aws:principalaccount', ({ account }) => account],
  ['aws:principalarn', caller => (caller.type === 'assumedRole' ? caller.roleArn : caller.arn)],
  ['aws:principaltype', ({ type }) => principalTypes[type]],
  ['aws:requestedregion', ({ region }) => region],
  ['aws:securetransport', (_, { secure }) => String(secure)],
  ['aws:sourceip', (_, { sourceAddress }) => sourceAddress],
  ['aws:useragent', (_, { userAgent }) => userAgent],
  ['aws:userid', ({ principalId }) => principalId],
  ['aws:username', caller => (caller.type === 'user' ? caller.userName : undefined)],
])

const principalTypes: Record<Caller['type'], string> = { user: 'User', assumedRole: 'AssumedRole' }
