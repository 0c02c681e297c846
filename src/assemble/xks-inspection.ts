import { lookup } from 'node:dns'
import { type Inspected, inspectProxy } from '../xks-proxies/inspection.ts'
import type { ProxyReport } from '../xks-proxies/proxy-report.ts'

/** Inspects an XKS proxy by the clocks of this machine. */
export function inspectXks(inspected: Inspected): Promise<ProxyReport> {
  return inspectProxy(inspected, { clock: Date.now, elapsed: () => performance.now(), lookup })
}
