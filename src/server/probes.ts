import type { ApiResponse } from '../apis/api.ts'
import type { Readiness } from '../readiness.ts'
import type { Log } from '../services.ts'

/** What load balancers and orchestrators ask for, without a signature: `GET /healthz` and `GET /readyz`. */

export const alive = async (): Promise<ApiResponse> => json(200, { status: 'ok' })

export async function probe(readiness: () => Promise<Readiness>, log: Log): Promise<ApiResponse> {
  try {
    const { ready, parts } = await readiness()
    return json(ready ? 200 : 503, { status: ready ? 'ok' : 'failing', parts })
  } catch (error) {
    log.error({ event: 'readiness_failed', err: error }, 'Readiness check failed')
    return json(503, { status: 'failing', parts: {} })
  }
}

export function json(status: number, body: object): ApiResponse {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}
