/** This gateway among others on the same database: what it says of itself, and what is told when it falls behind. */
import { randomUUID } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { lockFileOf } from '../audit/segments.ts'
import type { Config } from '../config.ts'
import type { Hsm } from '../hsm/hsm.ts'
import type { FleetMetrics } from '../metrics/fleet.ts'
import type { Outbox } from '../outbox.ts'
import type { Log } from '../services.ts'
import { lockFile } from '../storage/engines/lock-file.ts'
import type { FleetOptions } from '../storage/fleet/fleet.ts'
import type { OpenOptions } from '../storage/sql-storage.ts'
import type { Member } from '../storage/storage.ts'
import { version } from '../version.ts'

interface Reported {
  readonly log?: Log | undefined
  readonly metrics?: FleetMetrics | undefined
}

export interface Clocks {
  readonly clock: () => number
  readonly elapsed: () => number
}

/** Event IDs in one audit record. */
const recordedEvents = 100

/** What happens to a member of a fleet, in log, metrics and audit journal. */
export class FleetReport {
  /** Once they are connected. */
  hsms: () => readonly Pick<Hsm, 'name' | 'health'>[] = () => []
  /** Once the audit journal is open. */
  notes: Outbox['notes'] | undefined
  readonly #reported: Reported

  constructor(reported: Reported = {}) {
    this.#reported = reported
  }

  get hsmStates(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.hsms().map(({ name, health }) => [name, health.state]))
  }

  lease(holds: boolean): void {
    const { log, metrics } = this.#reported
    if (!holds) metrics?.leaseLost()
    if (holds) log?.info({ event: 'lease_regained' }, 'Lease regained: serving again')
    else log?.error({ event: 'lease_lost' }, 'Lease lost: refusing requests until it is renewed')
  }

  /** Of the database. @param problem the rest of a sentence that begins with it; undefined: it is back */
  readonly reached = (problem: string | undefined): void => {
    const { log } = this.#reported
    if (problem === undefined) log?.info({ event: 'database_reached' }, 'Database reached again')
    else log?.error({ event: 'database_lost', problem }, 'Database lost: refusing changes until it is back')
  }

  readonly reloaded: NonNullable<OpenOptions['onReload']> = ({ number: from }, { number: to }, lost) => {
    const { log, metrics } = this.#reported
    metrics?.viewReloaded()
    log?.warn({ event: 'view_reloaded', from, to }, 'All records read again')
    if (to >= from && lost.length === 0) return
    const eventIDs = lost.flatMap(({ eventId }) => eventId ?? [])
    const fields = { event: 'storage_changes_lost', from, to, lost: eventIDs } as const
    log?.error(fields, 'The database went back in time, and lost changes')
    // Others may have got their numbers since.
    const numbers = lost.map(({ number }) => number)
    const range = { from: Math.max(from, ...numbers), to: Math.min(to, ...numbers.map(number => number - 1)) }
    this.notes?.storageLost(range, { eventIDs: eventIDs.slice(0, recordedEvents) })
  }
}

/** Whether several gateways use the storage. @param isSupervised one of several processes */
export function isShared({ storage }: Config, isSupervised: boolean): boolean {
  return isSupervised || storage.postgres !== undefined
}

/** The journal lock comes first: it proves that the last run of this gateway is over. */
export function joinFleet(
  { audit, storage: { lease } }: Config,
  opened: AsyncDisposableStack,
  { clock, elapsed }: Clocks,
  report: FleetReport,
): FleetOptions {
  const lock = lockFileOf(audit.file)
  opened.use(lockFile(lock, `audit journal ${audit.file}`))
  const place = placeOf(lock)
  return {
    run: randomUUID(),
    lease,
    clock,
    elapsed,
    state: () => JSON.stringify({ version, host: hostname(), hsms: report.hsmStates, lock: place }),
    onLease: holds => report.lease(holds),
    isOver: member => place !== undefined && lockOf(member) === place,
  }
}

/** Names a file on a running system: no other gateway can have a lock of it meanwhile. Undefined where the system does not tell. */
function placeOf(file: string): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const { dev, ino } = statSync(file, { bigint: true })
    return `${boot}:${dev}:${ino}`
  } catch {
    return undefined
  }
}

function lockOf({ state }: Member): unknown {
  return (JSON.parse(state) as { readonly lock?: unknown }).lock
}
