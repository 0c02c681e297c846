import type { Api, ApiRequest } from '../apis/api.ts'
import type { Readiness } from '../readiness.ts'
import type { ConnectionMetrics, PathServices } from '../services.ts'
import type { ClientCertificates } from './client-certificates.ts'
import type { ConnectionLimits } from './connections.ts'
import { inTurns } from './in-turns.ts'
import { listen, type RunningServer } from './listener.ts'
import { alive, probe } from './probes.ts'
import type { TlsFiles } from './tls.ts'

/** The listener of the XKS proxy. */

export interface ListenXks extends Pick<ConnectionLimits, 'maxConnections' | 'maxBodyMemory'> {
  readonly host: string
  readonly port: number
  readonly tls?: TlsFiles | undefined
}

/** Bytes of a body: the longest plaintext and AAD in base64, and ARNs of 2048 characters. */
const maxBodySize = 192 * 1024

/**
 * Milliseconds from the first byte of a request, after which its HSM calls have ended: AWS KMS waits 250, connecting included, and would
 * count a late answer as an unreachable proxy.
 */
const budget = 200

/** @param clients used only with TLS */
export async function serveXks(
  { tls, ...options }: ListenXks,
  api: Api,
  services: PathServices,
  clients: ClientCertificates,
  readiness: () => Promise<Readiness>,
  metrics?: ConnectionMetrics,
): Promise<RunningServer> {
  const run = inTurns(services)
  const respond = (received: ApiRequest) => {
    const answerBy = performance.now() + budget
    if (received.method === 'GET' && received.url === '/healthz') return alive()
    if (received.method === 'GET' && received.url === '/readyz') return probe(readiness, services.log)
    return run({ ...received, answerBy }, api)
  }
  const secured = tls && { tls, clients }
  return listen({ ...options, ...secured, maxBodySize, respond, metrics, log: services.log })
}
