import type { Hsm, JobServices } from '../services.ts'
import { job } from './job.ts'

/**
 * Reports HSM objects that no record knows: they are left by a crash between creation on the HSM and the commit, or belong to
 * somebody else. They are never destroyed here, as a lost key is worse than a left-over one.
 */
export const sweepOrphans = job({
  name: 'sweep-orphans',
  interval: 5 * 60_000,
  start(services) {
    const unknownBefore = new Map<string, ReadonlySet<string>>()
    return async () => {
      for (const hsm of services.hsms.all) {
        const unknown = await unknownObjects(hsm, services)
        // An object seen for the first time may be a key whose creation is just being committed: only the second sighting counts.
        const orphans = [...unknown].filter(([id]) => unknownBefore.get(hsm.name)?.has(id))
        unknownBefore.set(hsm.name, new Set(unknown.keys()))
        report(hsm, orphans, services)
      }
    }
  },
})

async function unknownObjects(hsm: Hsm, { storage }: JobServices): Promise<ReadonlyMap<string, string>> {
  const objects = await hsm.objects()
  const known = storage.keys.materialsOn(hsm.name)
  const own = new Set([
    ...storage.destructions.list().map(({ material }) => material),
    ...(['seal', 'canary'] as const).map(purpose => storage.systemKeys.find(hsm.name, purpose)?.material.id),
  ])
  return new Map(objects.filter(({ id }) => !known.has(id) && !own.has(id)).map(({ id, label }) => [id, label]))
}

function report({ name }: Hsm, orphans: readonly (readonly [string, string])[], { log, metrics }: JobServices): void {
  metrics.orphans(name, orphans.length)
  for (const [id, label] of orphans) {
    log.warn({ hsm: name, id, label }, 'an object on the HSM belongs to no key that is known')
  }
}
