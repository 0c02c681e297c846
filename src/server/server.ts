import type { Api, ApiRequest, ApiResponse } from '../apis/api.ts'
import { unclaimed } from '../apis/other-services.ts'
import { handle } from '../pipeline.ts'
import type { Readiness } from '../readiness.ts'
import type { ConnectionMetrics, Log, PathServices } from '../services.ts'
import type { ConnectionLimits } from './connections.ts'
import { preflight, readable } from './cors.ts'
import { accountPath, deleteAccount, type EmulatorOptions, refusalOfWebPages } from './emulator.ts'
import { inTurns } from './in-turns.ts'
import { listen, type RunningServer } from './listener.ts'
import { alive, json, probe } from './probes.ts'
import { Router } from './router.ts'
import type { TlsFiles } from './tls.ts'

/** The two listeners and their routes. Nothing outside this folder depends on an HTTP server. */

export type { RunningServer } from './listener.ts'

interface NetworkAddress {
  readonly host: string
  readonly port: number
}

export interface Listen extends NetworkAddress, ConnectionLimits {
  readonly tls?: TlsFiles | undefined
  /** Whether pages of other origins may call. */
  readonly cors: boolean
  readonly emulator?: EmulatorOptions | undefined
}

/** @param apis the first answers the requests that none claims */
export async function serveApi(
  options: Listen,
  apis: readonly [Api, ...Api[]],
  services: PathServices,
  readiness: () => Promise<Readiness>,
  metrics?: ConnectionMetrics,
): Promise<RunningServer> {
  const { log } = services
  const { emulator } = options
  const cors = options.cors && (emulator === undefined || emulator.allowWebPages)
  const share = cors ? readable : (_: ApiRequest, response: ApiResponse) => response
  const run = inTurns(services)
  const call = async (received: ApiRequest) => {
    const guarded = emulator ? withoutWebPages(received, emulator) : received
    const claiming = apis.find(api => api.claims(guarded))
    const api = claiming ?? apis[0]
    const request = claiming ? guarded : unclaimed(guarded, apis)
    return share(request, await run(request, api))
  }
  // Everything else is a call that must be refused and audited, too.
  const router = new Router(async request => (cors && preflight(request)) || call(request))
    .post('/', call)
    .get('/healthz', alive)
    .get('/readyz', () => probe(readiness, log))
  if (emulator) router.delete(accountPath, request => deletion(request, emulator, call, log))
  return listen({ ...options, respond: await router.ready(), metrics, log })
}

function withoutWebPages(request: ApiRequest, emulator: EmulatorOptions): ApiRequest {
  const failure = request.failure ?? refusalOfWebPages(request, emulator)
  return failure ? { ...request, failure } : request
}

async function deletion(
  request: ApiRequest,
  emulator: EmulatorOptions,
  refuse: (request: ApiRequest) => Promise<ApiResponse>,
  log: Log,
): Promise<ApiResponse> {
  // A refusal is audited like that of a call.
  if (refusalOfWebPages(request, emulator)) return refuse(request)
  try {
    return await deleteAccount(request, emulator)
  } catch (error) {
    log.error({ event: 'request_failed', err: error }, 'Account could not be emptied')
    return json(500, { message: 'The account could not be emptied, and has all its keys.' })
  }
}

/** Operators are few, but what they apply may be large. */
const administrationLimits = { maxBodySize: 16 * 1024 * 1024, maxBodyMemory: 64 * 1024 * 1024, maxConnections: 16 }

/** Serves an API on a Unix socket that only the owner of its folder can connect to. Everyone who can is its caller. */
export async function serveOnSocket(socketPath: string, api: Api, services: PathServices): Promise<RunningServer> {
  const router = new Router(request => handle(request, api, services))
  return listen({ socketPath, ...administrationLimits, respond: await router.ready(), log: services.log })
}
