/** The listener of the metrics. */
import type { ApiResponse } from '../apis/api.ts'
import type { Log } from '../services.ts'
import { listen, type RunningServer } from './listener.ts'
import { Router } from './router.ts'

/** Metrics are read by few clients, which send no body. */
const metricsLimits = { maxBodySize: 1, maxBodyMemory: 64, maxConnections: 16 }

export async function serveMetrics(
  address: { readonly host: string; readonly port: number },
  text: () => Promise<string>,
  log: Log,
): Promise<RunningServer> {
  const router = new Router(async ({ failure }) => plain(failure?.status ?? 404, failure?.message ?? 'Not found'))
  router.get('/metrics', async () => {
    try {
      return plain(200, await text(), 'text/plain; version=0.0.4')
    } catch (error) {
      log.error({ event: 'metrics_failed', err: error }, 'Metrics could not be read')
      return plain(500, 'Internal error')
    }
  })
  return listen({ ...address, ...metricsLimits, respond: await router.ready(), log })
}

function plain(status: number, body: string, type = 'text/plain'): ApiResponse {
  return { status, headers: { 'Content-Type': `${type}; charset=utf-8` }, body }
}
