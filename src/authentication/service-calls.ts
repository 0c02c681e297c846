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
import type { SignedRequest } from './canonical-request.ts'

/** Headers of services; signed like all of `x-strongroom-*`. */
const serviceHeaders = ['x-strongroom-source-arn', 'x-strongroom-source-account', 'x-strongroom-on-behalf-of'] as const
const [sourceArnHeader, sourceAccountHeader, onBehalfOfHeader] = serviceHeaders

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

/** A user, or a role session, for which only the service can vouch. */
export interface Represented {
  readonly principal: Principal
  readonly session: string | undefined
  readonly via: CallingService
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
  const [uniqueId = '', session] = id.split(':')
  const principal = principals.withId(uniqueId)
  const isCaller = principal && (principal.type === 'user' ? !isService(principal.arn) : session !== undefined)
  if (!isCaller || !service.accounts.includes(account!))
    throw denied(`${service.name} may not call on behalf of ${arn}.`)
  return { principal, session, via: callingService(call) }
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
