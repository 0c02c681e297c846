import type { Config } from '../config.ts'
import { profileOf } from '../hsm/profiles/find-profile.ts'
import { workerCount } from '../hsm/profiles/worker-count.ts'
import { connectionsWithin } from '../server/descriptors.ts'
import type { Log } from '../services.ts'

/** File descriptors of the process, storage, journal and metrics; and per worker and per audit sink, including while it is replaced. */
const descriptors = { own: 96, perWorker: 8, perSink: 8 }

/** The maximum number of connections of each listener; that of the XKS proxy is there only if it is served. */
export function connectionsOf(
  { listen, xks, hsms, audit }: Config,
  log: Log,
): { readonly listen: number; readonly xks?: number | undefined } {
  const workers = Object.values(hsms).map(({ workers, profile, members = { only: {} } }) => {
    return workerCount(workers, profileOf(profile)) * Object.keys(members).length
  })
  const reserve =
    descriptors.own +
    descriptors.perWorker * workers.reduce((sum, count) => sum + count, 0) +
    descriptors.perSink * Object.keys(audit.sinks).length
  const wished = [listen.maxConnections, ...(xks ? [xks.listen.maxConnections] : [])]
  const [maxConnections = 1, ofXks] = connectionsWithin(wished, reserve)
  if (maxConnections < listen.maxConnections)
    log.warn(
      { event: 'connections_limited', maxConnections, ...(ofXks && { xksMaxConnections: ofXks }), reserve },
      'Fewer connections than maxConnections: raise the limit of open files',
    )
  return { listen: maxConnections, xks: ofXks }
}
