/** A request of a stored principal, with everything in storage that has a say in it. */
import { apis } from '../apis/catalogue.ts'
import { callerOf } from '../authentication/callers.ts'
import { serviceCaller } from '../authentication/service-calls.ts'
import { proxyCaller } from '../authentication/xks-callers.ts'
import { globalConditionKeys } from '../authorization/global-condition-keys.ts'
import { type AccessRequest, type Policies, policiesOf } from '../authorization/request.ts'
import { Failure, OperatorError } from '../errors.ts'
import { partitionOf } from '../model/arn.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { Caller, WebIdentityCaller } from '../model/identities/caller.ts'
import { issuerName, type OidcProvider } from '../model/identities/oidc-provider.ts'
import { namedPrincipal } from '../model/identities/principals.ts'
import { xksPrincipal } from '../model/xks/prefix.ts'
import type { Permission, PolicySubject } from '../operations/operation.ts'
import { mayActIn } from '../permissions.ts'
import type { Storage } from '../services.ts'

/** As given on the command line. */
export interface AskedRequest {
  /** ARN of a user, a role, or a session of a role; of an OIDC provider, for a web identity; name of a service. */
  readonly principal: string
  /** With the prefix of its API. */
  readonly action: string
  /** Key id, key ARN, alias name or alias ARN; default: `*`. */
  readonly resource?: string
  /** Default: that of the resource. */
  readonly region?: string
  /** Condition keys as written, with their values. They hide those of the key and the principal. */
  readonly context: ReadonlyMap<string, readonly string[]>
}

export interface StoredRequest {
  readonly request: AccessRequest
  readonly policies: Policies
}

/**
 * Throws OperatorError for what does not exist.
 *
 * @param now milliseconds since the epoch
 * @param defaultRegion of a request that names none
 */
export function storedRequest(
  asked: AskedRequest,
  storage: Storage,
  now: number,
  defaultRegion: string,
): StoredRequest {
  const { resource: name = '*', context } = asked
  const { subject, action } = findAction(asked.action)
  const caller = findCaller(asked.principal, asked.region ?? regionOf(name) ?? defaultRegion, storage)
  const permission = permissionFor(subject, action, asked, { caller, storage })
  const { resource, account, conditionKeys } = permission
  const { resourcePolicy, grant } = mayActIn(caller, account) ? permission : {}
  const given = new Map([...context].map(([key, values]) => [asciiLowerCase(key), values]))
  const global = globalConditionKeys(caller, { startedAt: now })
  return {
    request: {
      principal: caller,
      action: subject.vocabulary.prefix + action,
      resource,
      account,
      context: name => given.get(name) ?? conditionKeys?.(name) ?? global(name),
    },
    policies: { ...policiesOf(caller), resource: resourcePolicy, grant },
  }
}

function regionOf(resource: string): string | undefined {
  return /^arn:[^:]*:[^:]*:([^:]+):/.exec(resource)?.[1]
}

/** The action without its prefix, and the API that has it. */
function findAction(name: string): { readonly subject: PolicySubject; readonly action: string } {
  for (const { policySubject: subject } of apis) {
    const { prefix, actions } = subject?.vocabulary ?? { prefix: '', actions: [] }
    const action = actions.find(action => asciiLowerCase(prefix + action) === asciiLowerCase(name))
    if (subject && action !== undefined) return { subject, action }
  }
  throw new OperatorError(`${name} is not an action: name one as policies do, with its prefix`, { exitCode: 2 })
}

function permissionFor(
  { permission, vocabulary }: PolicySubject,
  action: string,
  { action: asked, resource = '*', context }: AskedRequest,
  search: { readonly caller: Caller; readonly storage: Storage },
): Permission {
  // Else a missing resource would turn into a decision by the identity-based policies alone.
  if (vocabulary.resourceActions.includes(action) !== (resource !== '*')) {
    const mistake = resource === '*' ? 'needs a --resource' : 'acts on no resource: leave out --resource'
    throw new OperatorError(`${asked} ${mistake}`, { exitCode: 2 })
  }
  try {
    return permission(action, resource, context, search)
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    throw new OperatorError(`cannot decide ${asked} on ${resource}: ${thrown.message}`, { cause: thrown })
  }
}

function findCaller(name: string, region: string, storage: Storage): Caller {
  const provider = storage.oidcProviders.find(name)
  if (provider) return webIdentityOf(provider, region)
  if (name === xksPrincipal) return anyPrefix(region, storage)
  const service = storage.services.find(name)
  return service
    ? serviceCaller({ service, accessKeyId: '', region, headers: {} })
    : findPrincipal(name, region, storage)
}

/** The XKS proxy, by any prefix of the region. */
function anyPrefix(region: string, { xksPrefixes }: Storage): Caller {
  const prefixes = xksPrefixes.all().filter(prefix => prefix.region === region)
  const accounts = prefixes.map(({ account }) => account)
  return proxyCaller({ name: '', region }, accounts, '')
}

/** Of its token nothing is known but its provider: claims are given as condition keys. */
function webIdentityOf({ arn, account, url }: OidcProvider, region: string): WebIdentityCaller {
  const token = { provider: arn, issuer: issuerName(url), subject: '', audience: '', claims: {} }
  const nothing = { principalId: '', accessKeyId: '', policies: [], tags: [] }
  return { ...nothing, ...token, type: 'webIdentity', arn, account, region }
}

/** Sessions are not stored: nothing is known of one but its role and name. A role by its own ARN calls as a session of which nothing is known but its role. */
function findPrincipal(arn: string, region: string, storage: Storage): Caller {
  const partition = partitionOf(region)
  const [id, sessionName = ''] = namedPrincipal(arn, partition, storage.principals)?.id?.split(':') ?? []
  const principal = id === undefined ? undefined : storage.principals.withId(id)
  if (!principal) {
    throw new OperatorError(`no user, role or role session ${arn} in partition ${partition} and region ${region}`)
  }
  const service = storage.services.ofUser(principal.arn)
  if (service) throw new OperatorError(`${arn} calls as the service ${service.name}: name that as principal`)
  const session = principal.type === 'role' ? { issuedAt: 0, expiresAt: 0, role: { name: sessionName } } : undefined
  const caller = callerOf(principal, storage.principals.policiesOf(principal), '', region, session)
  return caller.type === 'assumedRole' && sessionName === '' ? { ...caller, arn: caller.roleArn } : caller
}
