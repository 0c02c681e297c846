import type { Hsm, HsmObject, JobServices } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { job } from './job.ts'
import { objectsOn } from './listing.ts'
import { PerHsm } from './per-hsm.ts'

/** Milliseconds between two listings of an HSM. */
const interval = 5 * 60_000
/** Milliseconds until the second listing after a new object was found: a creation in progress has ended by then. */
const confirmationDelay = 10_000
/** Milliseconds: less than that, so that the second is a new listing. */
const maxAge = confirmationDelay / 2

interface Sweep {
  readonly hsm: Hsm
  /** CKA_IDs in hex without a key record at the last listing. */
  unrecorded: ReadonlySet<string>
  /** Orphaned objects that are on record. */
  reported: ReadonlySet<string>
  /** Time of the next listing, by `elapsed`. */
  next: number
}

/**
 * Reports orphaned HSM objects, to which no key record refers: left by a crash between generation on the HSM and the commit, or of another
 * application. They are never destroyed, as a lost key is worse than an orphaned one.
 */
export const sweepOrphans = job({
  name: 'sweep-orphans',
  interval: 1000,
  start(services) {
    const sweeps = new PerHsm((hsm): Sweep => ({ hsm, unrecorded: new Set(), reported: new Set(), next: 0 }))
    return async () => {
      for (const sweep of sweeps.of(services.hsms.all))
        if (services.elapsed() >= sweep.next) await check(sweep, services)
    }
  },
})

async function check(sweep: Sweep, services: JobServices): Promise<void> {
  sweep.next = services.elapsed() + interval
  const before = sweep.unrecorded
  const unrecorded = await unrecordedObjects(sweep.hsm, services)
  // A new object may be a key whose creation is being committed: it counts only if found twice.
  const orphans = [...unrecorded].filter(([id]) => before.has(id))
  sweep.unrecorded = new Set(unrecorded.keys())
  if (orphans.length < unrecorded.size) sweep.next = services.elapsed() + confirmationDelay
  report(sweep.hsm, orphans, services)
  await putOnRecord(sweep, new Set(orphans.map(([id]) => id)), services)
}

async function unrecordedObjects(hsm: Hsm, services: JobServices): Promise<ReadonlyMap<string, string>> {
  const { storage } = services
  const objects = await objectsOn(hsm, services, maxAge)
  const known = storage.keys.objects()
  const marked = new Set(storage.destructions.list().map(({ object }) => object))
  const isOrphan = ({ id }: HsmObject) => !known.has(id) && !marked.has(id)
  return new Map(objects.filter(isOrphan).map(({ id, label }) => [id, label]))
}

function report({ name }: Hsm, orphans: readonly (readonly [string, string])[], { log, metrics }: JobServices): void {
  metrics.orphans(name, orphans.length)
  for (const [id, label] of orphans) {
    log.warn({ event: 'orphaned_object', hsm: name, id, label }, 'Orphaned HSM object: no key record refers to it')
  }
}

/** Only what has changed since the last record. */
async function putOnRecord(sweep: Sweep, orphans: ReadonlySet<string>, { audit, outbox }: JobServices): Promise<void> {
  const found = [...orphans].filter(id => !sweep.reported.has(id))
  const gone = [...sweep.reported].filter(id => !orphans.has(id))
  if (found.length === 0 && gone.length === 0) return
  const details = { hsm: sweep.hsm.name, found, gone }
  await outbox.record(new Changes(), audit.gatewayEvent('ReportOrphanedObjects', details))
  sweep.reported = orphans
}
