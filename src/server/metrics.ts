/** The listener of the metrics. It has one path, for which a supervisor need not load Fastify. */
import type { ApiRequest, ApiResponse } from '../apis/api.ts'
import type { Log } from '../services.ts'
import { listen, type RunningServer } from './listener.ts'

/** Metrics are read by few clients, which send no body. */
const metricsLimits = { maxBodySize: 1, maxBodyMemory: 64, maxConnections: 16 }

export async function serveMetrics(
  address: { readonly host: string; readonly port: number },
  text: () => Promise<string>,
  log: Log,
): Promise<RunningServer> {
  const respond = async ({ method, url, failure }: ApiRequest) => {
    if (failure || !['GET', 'HEAD'].includes(method) || url.split('?')[0] !== '/metrics')
      return plain(failure?.status ?? 404, failure?.message ?? 'Not found')
    try {
      return plain(200, await text(), 'text/plain; version=0.0.4')
    } catch (error) {
      log.error({ event: 'metrics_failed', err: error }, 'Metrics could not be read')
      return plain(500, 'Internal error')
    }
  }
  return listen({ ...address, ...metricsLimits, respond, log })
}

function plain(status: number, body: string, type = 'text/plain'): ApiResponse {
  return { status, headers: { 'Content-Type': `${type}; charset=utf-8` }, body }
}
