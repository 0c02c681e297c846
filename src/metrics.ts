import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Hsm, HsmCall } from './hsm/hsm.ts'
import type { ConnectionMetrics, JobMetrics, RequestMetrics } from './services.ts'

export interface Metrics extends RequestMetrics, JobMetrics, ConnectionMetrics {
  hsmCall(call: HsmCall): void
  /** A line of the log that could not be written. */
  logLineDropped(): void
  /** Prometheus text exposition format. */
  text(): Promise<string>
}

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

const states: readonly Hsm['health']['state'][] = ['ready', 'unavailable', 'untrusted', 'pinRefused']

/**
 * Counting never throws: what cannot be counted is not.
 * @param hsms looked at when the metrics are read
 */
export function createMetrics(hsms: () => readonly Pick<Hsm, 'name' | 'pending' | 'health'>[]): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const requests = new Counter({
    name: 'strongroom_requests_total',
    help: 'Requests by operation and outcome: success or the code of the failure',
    labelNames: ['operation', 'outcome'],
    registers,
  })
  const latency = new Histogram({
    name: 'strongroom_request_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['operation'],
    buckets: seconds,
    registers,
  })
  const hsmCalls = new Counter({
    name: 'strongroom_hsm_calls_total',
    help: 'HSM calls by operation and PKCS#11 return code',
    labelNames: ['hsm', 'operation', 'return_code'],
    registers,
  })
  const hsmLatency = new Histogram({
    name: 'strongroom_hsm_call_seconds',
    help: 'Time from an HSM call to its answer',
    labelNames: ['hsm', 'operation'],
    buckets: seconds,
    registers,
  })
  const orphans = new Gauge({
    name: 'strongroom_hsm_orphans',
    help: 'Objects on the HSM that belong to no key that is known',
    labelNames: ['hsm'],
    registers,
  })
  const custodyFaults = new Gauge({
    name: 'strongroom_hsm_custody_faults',
    help: 'Keys that are not in custody, by what is wrong with their object on the HSM',
    labelNames: ['hsm', 'fault'],
    registers,
  })
  const connections = new Gauge({
    name: 'strongroom_connections',
    help: 'Connections to the AWS KMS API that are open',
    registers,
  })
  const cutConnections = new Counter({
    name: 'strongroom_connections_cut_total',
    help: 'Connections that the gateway closed before the caller did, by reason',
    labelNames: ['reason'],
    registers,
  })
  const clockTrusted = new Gauge({
    name: 'strongroom_clock_trusted',
    help: 'Whether the clock has been steady: 0 while scheduled deletions wait for it',
    registers,
  })
  clockTrusted.set(1)
  const droppedLogLines = new Counter({
    name: 'strongroom_log_lines_dropped_total',
    help: 'Lines of the log that could not be written to standard error',
    registers,
  })
  new Gauge({
    name: 'strongroom_hsm_pending_calls',
    help: 'HSM calls sent to a worker or waiting for one',
    labelNames: ['hsm'],
    registers,
    collect() {
      for (const { name, pending } of hsms()) this.set({ hsm: name }, pending)
    },
  })
  new Gauge({
    name: 'strongroom_hsm_state',
    help: 'HSM by state: 1 for the one it is in',
    labelNames: ['hsm', 'state'],
    registers,
    collect() {
      for (const { name, health } of hsms()) {
        for (const state of states) this.set({ hsm: name, state }, health.state === state ? 1 : 0)
      }
    },
  })
  new Gauge({
    name: 'strongroom_hsm_workers',
    help: 'Worker processes that are ready',
    labelNames: ['hsm'],
    registers,
    collect() {
      for (const { name, health } of hsms()) this.set({ hsm: name }, health.workers)
    },
  })
  return {
    started() {
      const start = performance.now()
      return harmless((operation = 'none', outcome) => {
        requests.inc({ operation, outcome })
        latency.observe({ operation }, (performance.now() - start) / 1000)
      })
    },
    hsmCall: harmless(({ hsm, operation, returnCode, seconds }) => {
      hsmCalls.inc({ hsm, operation, return_code: returnCode })
      hsmLatency.observe({ hsm, operation }, seconds)
    }),
    connectionOpened: harmless(() => connections.inc()),
    connectionClosed: harmless(() => connections.dec()),
    connectionCut: harmless(reason => cutConnections.inc({ reason })),
    logLineDropped: harmless(() => droppedLogLines.inc()),
    clockTrusted: harmless(trusted => clockTrusted.set(trusted ? 1 : 0)),
    orphans: harmless((hsm, count) => orphans.set({ hsm }, count)),
    custodyFaults: harmless((hsm, counts) => {
      for (const [fault, count] of Object.entries(counts)) custodyFaults.set({ hsm, fault }, count)
    }),
    text: () => registry.metrics(),
  }
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
