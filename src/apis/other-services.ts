import { Failure } from '../errors.ts'
import type { Api, ApiRequest } from './api.ts'
import { serviceOf } from './protocols.ts'

/**
 * A request that no API claims, with its failure if it is signed for a service that is not here. That is said without asking who signed it:
 * an error about the signature would make its sender look for a wrong secret.
 */
export function unclaimed(request: ApiRequest, apis: readonly Api[]): ApiRequest {
  const service = serviceOf(request)
  if (request.failure || service === '' || apis.some(api => api.service === service)) return request
  const failure = new Failure('UnknownOperation', `The service ${service} is not available at this endpoint.`)
  return { ...request, failure }
}
