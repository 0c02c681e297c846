/**
 * Calls of services: as a service principal for a resource, or on behalf of a caller, whom the service has authenticated. IAM User Guide,
 * "AWS service principals" and "Forward access sessions".
 */
import { Failure } from '../errors.ts'
import { partitionOf } from '../model/arn.ts'
import type { CallingService, ServiceCaller } from '../model/identities/caller.ts'
import type { Principal } from '../model/identities/principal.ts'
import { namedPrincipal, type Principals } from '../model/identities/principals.ts'
import type { Service } from '../model/identities/service.ts'
import type { Session } from '../model/identities/session.ts'
import type { SignedRequest } from './canonical-request.ts'

/** Headers of services; signed like all of `x-strongroom-*`. */
const serviceHeaders = [
  'x-strongroom-source-arn',
  'x-strongroom-source-account',
  'x-strongroom-on-behalf-of',
  'x-strongroom-session-access-key-id',
  'x-strongroom-session-token',
] as const
const [sourceArnHeader, sourceAccountHeader, onBehalfOfHeader, sessionKeyHeader, sessionTokenHeader] = serviceHeaders

type Headers = SignedRequest['headers']

/** Throws AccessDenied if somebody else than a service sends a header of services. */
export function refuseServiceHeaders(headers: Headers): void {
  for (const name of serviceHeaders)
    if (headers[name] !== undefined) throw denied(`Only a service may send the header ${name}.`)
}

/** What a service calls as. */
export interface ServiceCall {
  readonly service: Service
  readonly accessKeyId: string
  readonly region: string
  readonly headers: Headers
}

/** The service itself. Throws Validation or AccessDenied for headers that do not fit. */
export function serviceCaller(call: ServiceCall): ServiceCaller {
  const { service, region } = call
  const { name, accounts } = service
  const common = { account: '', arn: name, principalId: name, region, policies: [], tags: [] }
  return { ...common, ...callingService(call), type: 'service', accounts }
}

/** Whether the service calls on behalf of a caller. */
export function isForCaller({ headers }: Pick<ServiceCall, 'headers'>): boolean {
  return headers[onBehalfOfHeader] !== undefined
}

/** A user, for whom only the service can vouch, or a session, which its token proves. */
export interface Represented {
  readonly principal: Principal
  readonly session: ClaimedSession | undefined
  readonly via: CallingService
}

/** The temporary credentials with which a caller has called the service, without their secret. */
export interface ClaimedSession {
  readonly accessKeyId: string
  readonly token: string
  /** Of a role session. */
  readonly name: string | undefined
}

/** The user or role session on whose behalf a service calls. Throws Validation or AccessDenied, whether it does not exist or may not be. */
export function representedBy(
  call: ServiceCall,
  principals: Principals,
  isService: (arn: string) => boolean,
): Represented {
  const { service, region, headers } = call
  const arn = headerOf(headers, onBehalfOfHeader)!
  if (headers[sourceArnHeader] !== undefined || headers[sourceAccountHeader] !== undefined)
    throw invalid(`${onBehalfOfHeader} is not sent with ${sourceArnHeader} or ${sourceAccountHeader}`)
  const { account, id = '' } = (arn.startsWith('arn:') && namedPrincipal(arn, partitionOf(region), principals)) || {}
  const [uniqueId = '', name] = id.split(':')
  const principal = principals.withId(uniqueId)
  const isCaller = principal && (principal.type === 'user' ? !isService(principal.arn) : name !== undefined)
  if (!isCaller || !service.accounts.includes(account!)) throw notRepresented(call)
  return { principal, session: claimedSession(headers, name), via: callingService(call) }
}

/** Without its token, the limits of a role session would not be known. */
function claimedSession(headers: Headers, name: string | undefined): ClaimedSession | undefined {
  const accessKeyId = headerOf(headers, sessionKeyHeader)
  const token = headerOf(headers, sessionTokenHeader)
  if (accessKeyId !== undefined && token !== undefined) return { accessKeyId, token, name }
  if (name === undefined && accessKeyId === undefined && token === undefined) return undefined
  throw invalid(`a session is named with ${sessionKeyHeader} and ${sessionTokenHeader}`)
}

/** Whether the session is that of the principal and name that the service claims. */
export function isThatSession({ principal, session: claimed }: Represented, session: Session | undefined): boolean {
  return session?.principalId === principal.principalId && session.role?.name === claimed!.name
}

export function notRepresented({ service, headers }: ServiceCall): Failure {
  return denied(`${service.name} may not call on behalf of ${headerOf(headers, onBehalfOfHeader)}.`)
}

function callingService({ service: { name, accounts }, accessKeyId, headers }: ServiceCall): CallingService {
  const sourceArn = headerOf(headers, sourceArnHeader)
  const given = headerOf(headers, sourceAccountHeader)
  const owner = sourceArn === undefined ? undefined : accountOfArn(sourceArn)
  if (given !== undefined && !/^\d{12}$/.test(given))
    throw invalid(`${sourceAccountHeader} is not the number of an account`)
  if (given && owner && given !== owner)
    throw invalid(`${sourceArnHeader} is of another account than ${sourceAccountHeader}`)
  const sourceAccount = given ?? owner
  if (sourceAccount !== undefined && !accounts.includes(sourceAccount))
    throw denied(`${name} may not act in the account ${sourceAccount}.`)
  return { service: name, accessKeyId, sourceArn, sourceAccount }
}

/** Undefined for an ARN that names none, such as that of a bucket. */
function accountOfArn(arn: string): string | undefined {
  const parts = /^arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:\S{1,1900}$/.exec(arn)
  if (parts === null) throw invalid(`${sourceArnHeader} is not an ARN`)
  return parts[1]
}

function headerOf(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  if (Array.isArray(value)) throw invalid(`${name} is sent twice`)
  return value?.trim()
}

function denied(message: string): Failure {
  return new Failure('AccessDenied', message)
}

function invalid(message: string): Failure {
  return new Failure('Validation', message)
}
