import type { Hsm, JobServices } from '../services.ts'
import { job } from './job.ts'
import { objectsOn } from './listing.ts'

/** Milliseconds from one look at the objects of an HSM to the next. */
const betweenLooks = 5 * 60_000
/** Milliseconds until the second look at what was seen for the first time: a creation that was under way is over by then. */
const untilSecondLook = 10_000
/** Milliseconds: less than that, so that two looks are two listings. */
const maxAge = untilSecondLook / 2

interface Sweep {
  readonly hsm: Hsm
  /** CKA_ID in hex of what no record knew at the last look. */
  unknown: ReadonlySet<string>
  /** When to look again. */
  next: number
}

/**
 * Reports HSM objects that no record knows: they are left by a crash between creation on the HSM and the commit, or belong to
 * somebody else. They are never destroyed here, as a lost key is worse than a left-over one.
 */
export const sweepOrphans = job({
  name: 'sweep-orphans',
  interval: 1000,
  start(services) {
    const sweeps = services.hsms.all.map((hsm): Sweep => ({ hsm, unknown: new Set(), next: 0 }))
    return async () => {
      for (const sweep of sweeps) if (services.elapsed() >= sweep.next) await look(sweep, services)
    }
  },
})

async function look(sweep: Sweep, services: JobServices): Promise<void> {
  sweep.next = services.elapsed() + betweenLooks
  const before = sweep.unknown
  const unknown = await unknownObjects(sweep.hsm, services)
  // An object seen for the first time may be a key whose creation is just being committed: only the second sighting counts.
  const orphans = [...unknown].filter(([id]) => before.has(id))
  sweep.unknown = new Set(unknown.keys())
  if (orphans.length < unknown.size) sweep.next = services.elapsed() + untilSecondLook
  report(sweep.hsm, orphans, services)
}

async function unknownObjects(hsm: Hsm, services: JobServices): Promise<ReadonlyMap<string, string>> {
  const { storage } = services
  const objects = await objectsOn(hsm, services, maxAge)
  const known = storage.keys.materialsOn(hsm.name)
  const marked = new Set(storage.destructions.list().map(({ material }) => material))
  return new Map(objects.filter(({ id }) => !known.has(id) && !marked.has(id)).map(({ id, label }) => [id, label]))
}

function report({ name }: Hsm, orphans: readonly (readonly [string, string])[], { log, metrics }: JobServices): void {
  metrics.orphans(name, orphans.length)
  for (const [id, label] of orphans) {
    log.warn({ event: 'orphaned_object', hsm: name, id, label }, 'Orphaned HSM object: no key record refers to it')
  }
}
