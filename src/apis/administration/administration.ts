import { Failure } from '../../errors.ts'
import { operations } from '../../operations/administration/catalogue.ts'
import { type AdministrationOperation, checkShape } from '../../operations/administration/operation.ts'
import type { AnyOperation } from '../../operations/operation.ts'
import { describeIssue } from '../../schema-issue.ts'
import type { Api, ApiRequest, ApiResponse } from '../api.ts'

/**
 * The administration API: `POST /OPERATION` with a JSON object, answered with one, or with `{"code", "message"}`. It is served on a socket
 * of the data folder only, and no signature is needed: who can connect is the operator.
 */
export const administration: Api = {
  // No signature names it.
  service: 'strongroom-administration',
  actionPrefix: 'administration:',
  eventSource: 'administration.strongroom',
  claims: () => true,
  operation: request => find(request),
  input: (operation, body) => read(operation as AdministrationOperation<object, object>, body),
  accept: (_operation, output) => json(200, output ?? {}),
  errorCode: ({ code }) => code,
  refuse: ({ code, message, status }) => json(status, { code, message }),
}

const known: ReadonlyMap<string, AnyOperation> = new Map(operations.map(operation => [`/${operation.name}`, operation]))

function find({ method, url }: ApiRequest): AnyOperation {
  const operation = method === 'POST' ? known.get(url) : undefined
  if (operation) return operation
  throw new Failure('UnknownOperation', `no operation ${method} ${url}`)
}

function read({ schema }: AdministrationOperation<object, object>, body: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(body).toString())
  } catch (thrown) {
    throw new Failure('Serialization', 'the body is not JSON', { cause: thrown })
  }
  checkShape(value)
  const { success, data, error } = schema.safeParse(value)
  if (success) return data as Record<string, unknown>
  throw new Failure(
    'Validation',
    describeIssue(error.issues[0]!, () => []),
  )
}

function json(status: number, body: object): ApiResponse {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}
