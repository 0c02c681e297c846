/** What jobs are given in tests: storage in memory, a SoftHSM token, clocks that tests set, and recorders of what jobs report. */
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditRecord } from '../../src/audit/entry.ts'
import type { Hsm } from '../../src/hsm/hsm.ts'
import { type HsmOptions, HsmRegistry } from '../../src/hsm/registry.ts'
import { SteadyClock } from '../../src/jobs/steady-clock.ts'
import type { LogFields } from '../../src/log.ts'
import type { Alias } from '../../src/model/keys/alias.ts'
import type { Key } from '../../src/model/keys/key.ts'
import { Outbox } from '../../src/outbox.ts'
import type { JobServices } from '../../src/services.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { Changes, type Storage } from '../../src/storage/storage.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { journalInto } from '../audit/records.ts'
import { createSoftHsm, type SoftHsm } from '../hsm/softhsm.ts'
import { openHere } from '../storage/open.ts'
import { aKey, anAlias } from '../storage/records.ts'
import { noExternalKeyStores } from '../xks-proxies/none.ts'

export interface Fixture {
  readonly services: JobServices
  readonly storage: Storage
  readonly softHsm: SoftHsm
  readonly hsm: Hsm
  /** With `hsm`, and whatever a test connects. */
  readonly hsms: HsmRegistry
  /** Its records go to `records`. */
  readonly journal: { failing: boolean }
  readonly records: AuditRecord[]
  /** Fields of the log. */
  readonly logged: LogFields[]
  /** Orphaned objects last reported to the metrics, by HSM. */
  readonly orphans: Map<string, number>
  /** Keys due for rotation, last reported to the metrics. */
  dueForRotation: number
  /** Highest counts last reported to the metrics. */
  encryptions: Readonly<Record<string, number>>
  /** Custody faults last reported to the metrics, by fault. */
  faults: Readonly<Record<string, number>>
  /** The same, as reported to readiness. */
  unhealthy: { readonly keys: number; readonly systemKeys: number }
  /** Of the monotonic clock, */
  time: number
  /** and by how much the machine's clock is ahead of it. */
  ahead: number
  /** A key whose material is on the token. */
  key(number: number, changes?: Partial<Key>): Promise<Key>
  alias(name: string, key: Key): Promise<Alias>
  /** Ids of the objects on the token. */
  objects(): Promise<string[]>
  close(): Promise<void>
}

export async function openFixture(options: (softHsm: SoftHsm) => Partial<HsmOptions> = () => ({})): Promise<Fixture> {
  const softHsm = await createSoftHsm()
  const hsms = new HsmRegistry({})
  const hsm = await hsms.connect({ ...softHsm.options, workers: 1, ...options(softHsm) })
  const storage = await openHere(sqlite(':memory:', { create: true }))
  const records: AuditRecord[] = []
  const logged: Fixture['logged'] = []
  const orphans: Fixture['orphans'] = new Map()
  const log = (fields: LogFields) => void logged.push({ ...fields })
  const journal = journalInto(records)
  const clock = () => fixture.time + fixture.ahead
  const elapsed = () => fixture.time
  const steadyClock = new SteadyClock(
    {
      storage,
      clock,
      elapsed,
      metrics: { clockStable() {} },
      health: { clock() {} },
      log: { error: log, warn: log, info: log },
    },
    86_400_000,
  )
  const fixture: Fixture = {
    services: {
      storage,
      hsms,
      externalKeyStores: noExternalKeyStores,
      elapsed,
      steadyClock,
      rotationTimeShare: 0.01,
      audit: createAudit(journal, clock, 'kms.amazonaws.com'),
      outbox: await Outbox.open(storage, journal, { gateway: 'gateway' }),
      keyStoreConnections: { follow() {} },
      checkpoints: { unsignedFor: 0, lastTime: undefined, async signDue() {}, async sign() {} },
      metrics: {
        clockStable() {},
        orphans: (name, count) => void orphans.set(name, count),
        custodyFaults(_name, counts) {
          fixture.faults = counts
        },
        checkpoints() {},
        customKeyStores() {},
        dueForRotation(count) {
          fixture.dueForRotation = count
        },
        encryptions(_name, highest) {
          fixture.encryptions = highest
        },
      },
      health: {
        clock() {},
        custody(_name, faults) {
          fixture.unhealthy = faults
        },
      },
      log: { error: log, warn: log, info: log },
    },
    storage,
    journal,
    softHsm,
    hsm,
    hsms,
    records,
    logged,
    orphans,
    dueForRotation: 0,
    encryptions: {},
    faults: {},
    unhealthy: { keys: 0, systemKeys: 0 },
    time: 1_700_000_000_000,
    ahead: 0,
    async key(number, changes = {}) {
      const key = aKey(number, changes)
      const material = await createMaterial(hsm, key, key.arn, fixture.time)
      await commit(storage, 'keys', { ...key, materials: [material], ...changes })
      return storage.keys.find(key.arn)!
    },
    async alias(name, key) {
      const alias = anAlias(name, key)
      await commit(storage, 'aliases', alias)
      return storage.aliases.find(alias.arn)!
    },
    objects: async () => (await hsm.objects()).map(({ id }) => id),
    async close() {
      await storage.close()
      await hsms.close()
      softHsm.remove()
    },
  }
  // Of an installation that has no keys yet, so that it is trusted from here on.
  await steadyClock.now()
  return fixture
}

async function commit(storage: Storage, ...[noun, record]: ['keys', Key] | ['aliases', Alias]): Promise<void> {
  const changes = new Changes()
  changes.put(noun as 'keys', record as Key)
  await storage.commit(changes)
}

/** The same outbox, with another way to commit. */
export function committing(
  record: JobServices['outbox']['record'],
  outbox: JobServices['outbox'],
): JobServices['outbox'] {
  return new Proxy(outbox, {
    get(target, name: keyof JobServices['outbox']) {
      if (name === 'record') return record
      // It commits through its own object.
      return name === 'act' ? target.act : target[name].bind(target)
    },
  })
}
