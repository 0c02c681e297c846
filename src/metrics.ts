import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { SinkState } from './audit/sinks/sink-process.ts'
import type { Hsm, HsmCall } from './hsm/hsm.ts'
import { registerSinkMetrics } from './metrics/audit-sinks.ts'
import { type FleetMetrics, fleetMetrics } from './metrics/fleet.ts'
import { journalMetrics } from './metrics/journal.ts'
import { meteredCalls } from './metrics/metered-calls.ts'
import { Tally } from './metrics/tally.ts'
import { xksProxyMetrics } from './metrics/xks-proxies.ts'
import type { Calls } from './model/usage/calls.ts'
import type {
  ConnectionMetrics,
  JobMetrics,
  JournalMetrics,
  RequestMetrics,
  XksProxyMetrics,
  XksProxyState,
} from './services.ts'
import { version } from './version.ts'

export interface Metrics
  extends RequestMetrics,
    JobMetrics,
    ConnectionMetrics,
    JournalMetrics,
    XksProxyMetrics,
    FleetMetrics {
  hsmCall(call: HsmCall): void
  /** @param current whether the index of the audit journal has no fault, and has caught up */
  auditIndexCurrent(current: boolean): void
  /** Calls that have been added to the index of the audit journal. */
  metered(calls: readonly Calls[]): void
  /** A line of the log that could not be written. */
  logLineDropped(): void
  /** Prometheus text exposition format. */
  text(): Promise<string>
}

const states: readonly Hsm['health']['state'][] = ['ready', 'unavailable', 'untrusted', 'pinRefused']
const unusableStates = ['Disabled', 'PendingDeletion', 'PendingReplicaDeletion', 'PendingImport', 'Unavailable']

/**
 * Counting never throws: a metric that cannot take a value is left as it is.
 * @param hsms read at each scrape
 * @param sinks read at each scrape
 * @param proxies read at each scrape
 * @param labels of every series
 */
export function createMetrics(
  hsms: () => readonly Pick<Hsm, 'name' | 'pending' | 'health'>[],
  sinks: () => readonly SinkState[] = () => [],
  proxies: () => readonly XksProxyState[] = () => [],
  labels: Readonly<Record<string, string>> = {},
): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels(labels)
  collectDefaultMetrics({ register: registry })
  registerSinkMetrics(registry, sinks)
  const registers = [registry]
  const requests = new Tally(registry, ['api', 'operation'], {
    total: 'strongroom_requests_total',
    totalHelp: 'Requests by API, operation and outcome: success or an error code',
    outcome: 'outcome',
    duration: 'strongroom_request_duration_seconds',
    durationHelp: 'Time to answer a request',
  })
  const hsmCalls = new Tally(registry, ['hsm', 'operation'], {
    total: 'strongroom_hsm_calls_total',
    totalHelp: 'HSM calls by operation and PKCS#11 return code',
    outcome: 'return_code',
    duration: 'strongroom_hsm_call_duration_seconds',
    durationHelp: 'Time from an HSM call to its answer, including the wait for a worker',
  })
  /** Of the HSMs that are connected now: the gauges below are written anew at each scrape. */
  const orphans = new Map<string, number>()
  const custodyFaults = new Map<string, Readonly<Record<string, number>>>()
  const encryptions = new Map<string, Readonly<Record<string, number>>>()
  new Gauge({
    name: 'strongroom_hsm_orphaned_objects',
    help: 'Objects on the HSM to which no key record refers',
    labelNames: ['hsm'],
    registers,
    collect() {
      this.reset()
      for (const { name } of hsms()) {
        const count = orphans.get(name)
        if (count !== undefined) this.set({ hsm: name }, count)
      }
    },
  })
  new Gauge({
    name: 'strongroom_hsm_custody_faults',
    help: 'Keys that fail the custody checks, by fault',
    labelNames: ['hsm', 'fault'],
    registers,
    collect() {
      this.reset()
      for (const { name } of hsms()) {
        for (const [fault, count] of Object.entries(custodyFaults.get(name) ?? {}))
          this.set({ hsm: name, fault }, count)
      }
    },
  })
  new Gauge({
    name: 'strongroom_hsm_key_encryptions_highest',
    help: 'Highest number of AES-GCM encryptions under the current material of one key',
    labelNames: ['hsm', 'key'],
    registers,
    collect() {
      this.reset()
      for (const { name } of hsms()) {
        for (const [key, count] of Object.entries(encryptions.get(name) ?? {})) this.set({ hsm: name, key }, count)
      }
    },
  })
  const connections = new Gauge({
    name: 'strongroom_open_connections',
    help: 'Open connections to the API',
    registers,
  })
  const abortedConnections = new Counter({
    name: 'strongroom_aborted_connections_total',
    help: 'Connections that the gateway closed before the caller did, by reason',
    labelNames: ['reason'],
    registers,
  })
  const refusedKeyUses = new Counter({
    name: 'strongroom_refused_key_uses_total',
    help: 'Uses of keys that callers are allowed to use, but that their state does not allow',
    labelNames: ['state'],
    registers,
  })
  // An increase is seen only from a value that was there before.
  for (const state of unusableStates) refusedKeyUses.inc({ state: snakeCase(state) }, 0)
  const customKeyStores = new Gauge({
    name: 'strongroom_custom_key_stores',
    help: 'Custom key stores by connection state',
    labelNames: ['state'],
    registers,
  })
  const clockStable = new Gauge({
    name: 'strongroom_clock_stable',
    help: '0 while scheduled deletions and rotations wait until the wall clock has been stable',
    registers,
  })
  clockStable.set(1)
  const auditIndexCurrent = new Gauge({
    name: 'strongroom_audit_index_current',
    help: '0 while the index of the audit journal has a fault, or has not caught up',
    registers,
  })
  const dueForRotation = new Gauge({
    name: 'strongroom_keys_due_for_rotation',
    help: 'Keys whose automatic rotation is due',
    registers,
  })
  const unsigned = new Gauge({
    name: 'strongroom_audit_unsigned_seconds',
    help: 'Time since the first audit block was written that no checkpoint has signed yet; 0 if all are signed',
    registers,
  })
  const lastCheckpoint = new Gauge({
    name: 'strongroom_audit_last_checkpoint_timestamp_seconds',
    help: 'When the last audit checkpoint was signed, since the start; nothing is signed while nothing is written',
    registers,
  })
  const droppedLogLines = new Counter({
    name: 'strongroom_dropped_log_lines_total',
    help: 'Log lines that could not be written to standard error',
    registers,
  })
  new Gauge({
    name: 'strongroom_build_info',
    help: 'Always 1: the versions of Strongroom and Node.js',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version, node_version: process.version }, 1)
  new Gauge({
    name: 'strongroom_hsm_pending_calls',
    help: 'HSM calls in progress or waiting for a worker',
    labelNames: ['hsm'],
    registers,
    collect() {
      this.reset()
      for (const { name, pending } of hsms()) this.set({ hsm: name }, pending)
    },
  })
  new Gauge({
    name: 'strongroom_hsm_state',
    help: '1 for the current state of the HSM, 0 for the others',
    labelNames: ['hsm', 'state'],
    registers,
    collect() {
      this.reset()
      for (const { name, health } of hsms()) {
        for (const state of states) this.set({ hsm: name, state: snakeCase(state) }, health.state === state ? 1 : 0)
      }
    },
  })
  new Gauge({
    name: 'strongroom_hsm_workers',
    help: 'Worker processes that have the token open',
    labelNames: ['hsm'],
    registers,
    collect() {
      this.reset()
      for (const { name, health } of hsms()) this.set({ hsm: name }, health.workers)
    },
  })
  new Counter({
    name: 'strongroom_hsm_worker_restarts_total',
    help: 'Worker processes started in place of lost ones',
    labelNames: ['hsm'],
    registers,
    collect() {
      this.reset()
      for (const { name, health } of hsms()) this.inc({ hsm: name }, health.restarts)
    },
  })
  return {
    ...journalMetrics(registry),
    ...fleetMetrics(registry),
    ...xksProxyMetrics(registry, proxies),
    started(api) {
      const start = performance.now()
      return (operation = 'none', outcome) =>
        requests.count(api, operation, outcome, (performance.now() - start) / 1000)
    },
    keyUseRefused: harmless(state => refusedKeyUses.inc({ state: snakeCase(state) })),
    hsmCall: ({ hsm, operation, returnCode, seconds }) =>
      hsmCalls.count(hsm, snakeCase(operation), returnCode, seconds),
    connectionOpened: harmless(() => connections.inc()),
    connectionClosed: harmless(() => connections.dec()),
    connectionAborted: harmless(reason => abortedConnections.inc({ reason })),
    metered: harmless(meteredCalls(registry)),
    logLineDropped: harmless(() => droppedLogLines.inc()),
    clockStable: harmless(trusted => clockStable.set(trusted ? 1 : 0)),
    checkpoints: harmless(({ unsignedFor, lastTime }) => {
      unsigned.set(unsignedFor / 1000)
      if (lastTime !== undefined) lastCheckpoint.set(lastTime / 1000)
    }),
    auditIndexCurrent: harmless(current => auditIndexCurrent.set(current ? 1 : 0)),
    customKeyStores: harmless(counts => {
      for (const [state, count] of Object.entries(counts)) customKeyStores.set({ state: state.toLowerCase() }, count)
    }),
    dueForRotation: harmless(count => dueForRotation.set(count)),
    orphans: (hsm, count) => void orphans.set(hsm, count),
    custodyFaults: (hsm, counts) => void custodyFaults.set(hsm, counts),
    encryptions: (hsm, highest) => void encryptions.set(hsm, highest),
    text: () => registry.metrics(),
  }
}

const snakeCased = new Map<string, string>()

/** The label value of one of a few names. */
function snakeCase(name: string): string {
  let value = snakeCased.get(name)
  if (value === undefined) {
    value = name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`).replace(/^_/, '')
    snakeCased.set(name, value)
  }
  return value
}

function harmless<A extends unknown[]>(count: (...values: A) => void): (...values: A) => void {
  return (...values) => {
    try {
      count(...values)
    } catch {
      // A metric that cannot take a value must not fail the call that it counts.
    }
  }
}
