import { randomUUID } from 'node:crypto'
import type { Api, ApiRequest, ApiResponse } from '../apis/api.ts'
import { Failure } from '../errors.ts'
import { handle } from '../pipeline.ts'
import type { Readiness } from '../readiness.ts'
import type { ConnectionMetrics, Log, PathServices } from '../services.ts'
import type { ConnectionLimits } from './connections.ts'
import { preflight, readable } from './cors.ts'
import { listen, type RunningServer } from './listener.ts'
import type { TlsFiles } from './tls.ts'

/** The two listeners, and what is asked of each. Nothing outside this folder knows an HTTP server. */

export type { RunningServer } from './listener.ts'

interface Address {
  readonly host: string
  readonly port: number
}

export interface Listen extends Address, ConnectionLimits {
  readonly tls?: TlsFiles | undefined
  /** Whether pages of other origins may call. */
  readonly cors: boolean
}

export async function serveApi(
  options: Listen,
  api: Api,
  services: PathServices,
  readiness: () => Promise<Readiness>,
  metrics?: ConnectionMetrics,
): Promise<RunningServer> {
  const { log } = services
  const call = async (request: ApiRequest) => {
    await endOfTurn()
    return handle(request, api, services)
  }
  const share = options.cors ? readable : (_: ApiRequest, response: ApiResponse) => response
  const respond = async (request: ApiRequest) => {
    const asked = options.cors ? preflight(request) : undefined
    if (asked) return asked
    try {
      return (await probe(request, readiness)) ?? share(request, await call(request))
    } catch (error) {
      log.error({ err: error }, 'request failed outside the request path')
      return share(request, api.refuse(new Failure('KMSInternalException'), randomUUID(), request))
    }
  }
  return listen({ ...options, respond, metrics, log })
}

/** An answer to whoever watches the gateway, without a signature. */
async function probe(
  { method, url, failure }: ApiRequest,
  readiness: () => Promise<Readiness>,
): Promise<ApiResponse | undefined> {
  if (failure || (method !== 'GET' && method !== 'HEAD')) return undefined
  if (url === '/healthz') return json(200, { status: 'ok' })
  if (url !== '/readyz') return undefined
  const { ready, parts } = await readiness()
  return json(ready ? 200 : 503, { status: ready ? 'ok' : 'failing', parts })
}

function json(status: number, body: object): ApiResponse {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}

/** Few ask for the metrics, and those send nothing. */
const metricsLimits = { bodyLimit: 1, bodyBudget: 64, maxConnections: 16 }

export async function serveMetrics(address: Address, text: () => Promise<string>, log: Log): Promise<RunningServer> {
  const respond = async ({ method, url, failure }: ApiRequest): Promise<ApiResponse> => {
    try {
      if (failure) return plain(failure.status, `${failure.message}\n`)
      if (url !== '/metrics') return plain(404, 'Not found\n')
      if (method !== 'GET' && method !== 'HEAD') return plain(405, 'Method not allowed\n')
      return plain(200, await text(), 'text/plain; version=0.0.4')
    } catch (error) {
      log.error({ err: error }, 'metrics could not be read')
      return plain(500, 'Internal error\n')
    }
  }
  return listen({ ...address, ...metricsLimits, respond, log })
}

function plain(status: number, body: string, type = 'text/plain'): ApiResponse {
  return { status, headers: { 'Content-Type': `${type}; charset=utf-8` }, body }
}

let turn: Promise<void> | undefined

/**
 * Resolves once this turn of the event loop has read what lies in the sockets. Its requests then walk the path in step:
 * the machine code of each step stays in the processor's cache, and a request takes about a quarter less time.
 */
function endOfTurn(): Promise<void> {
  turn ??= new Promise(resolve => {
    setImmediate(() => {
      turn = undefined
      resolve()
    })
  })
  return turn
}
