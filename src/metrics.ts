import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client'
import type { Hsm, HsmCall } from './hsm/hsm.ts'
import type { ConnectionMetrics, JobMetrics, RequestMetrics } from './services.ts'
import { version } from './version.ts'

export interface Metrics extends RequestMetrics, JobMetrics, ConnectionMetrics {
  hsmCall(call: HsmCall): void
  /** A line of the log that could not be written. */
  logLineDropped(): void
  /** Prometheus text exposition format. */
  text(): Promise<string>
}

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

const states: readonly Hsm['health']['state'][] = ['ready', 'unavailable', 'untrusted', 'pinRefused']
const unusableStates = ['Disabled', 'PendingDeletion', 'PendingImport', 'Unavailable']

/**
 * Counting never throws: a metric that cannot take a value is left as it is.
 * @param hsms read at each scrape
 */
export function createMetrics(hsms: () => readonly Pick<Hsm, 'name' | 'pending' | 'health'>[]): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
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
  const clockStable = new Gauge({
    name: 'strongroom_clock_stable',
    help: '0 while scheduled deletions and rotations wait until the wall clock has been stable',
    registers,
  })
  clockStable.set(1)
  const dueForRotation = new Gauge({
    name: 'strongroom_keys_due_for_rotation',
    help: 'Keys whose automatic rotation is due',
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
    logLineDropped: harmless(() => droppedLogLines.inc()),
    clockStable: harmless(trusted => clockStable.set(trusted ? 1 : 0)),
    dueForRotation: harmless(count => dueForRotation.set(count)),
    orphans: (hsm, count) => void orphans.set(hsm, count),
    custodyFaults: (hsm, counts) => void custodyFaults.set(hsm, counts),
    encryptions: (hsm, highest) => void encryptions.set(hsm, highest),
    text: () => registry.metrics(),
  }
}

interface TallyNames {
  readonly total: string
  readonly totalHelp: string
  /** Label of the counter alone. */
  readonly outcome: string
  readonly duration: string
  readonly durationHelp: string
}

/** Two maps are faster than one by a joined key, which would be hashed anew for each call. */
type LabelNames = readonly [string, string]

interface Tallied {
  readonly labels: Readonly<Record<string, string>>
  readonly outcomes: Map<string, number>
  /** Calls that took at most `seconds[i]` but more than the bound before it; the last counts those above all bounds. */
  readonly buckets: number[]
  sum: number
}

/**
 * Calls by outcome and by duration: a counter and a histogram. Those of prom-client validate, sort and hash the labels for each value,
 * which took 1.3 us and 1.2 KB of every Encrypt.
 */
class Tally {
  readonly #labelNames: LabelNames
  readonly #names: TallyNames
  /** By the values of the labels. */
  readonly #tallied = new Map<string, Map<string, Tallied>>()

  constructor(registry: Registry, labelNames: LabelNames, names: TallyNames) {
    this.#labelNames = labelNames
    this.#names = names
    const all = () => this.#all()
    new Counter({
      name: names.total,
      help: names.totalHelp,
      labelNames: [...labelNames, names.outcome],
      registers: [registry],
      collect() {
        this.reset()
        for (const { labels, outcomes } of all())
          for (const [outcome, count] of outcomes) this.inc({ ...labels, [names.outcome]: outcome }, count)
      },
    })
    const { duration: name, durationHelp: help } = names
    const histogram = { name, help, type: 'histogram', aggregator: 'sum' }
    const metric = { ...histogram, get: async () => ({ ...histogram, values: this.#durations() }) }
    // All that a registry uses of a metric.
    registry.registerMetric(metric as unknown as Metric)
  }

  /** @param first value of the first label */
  count(first: string, second: string, outcome: string, duration: number): void {
    const tallied = this.#tallied.get(first)?.get(second) ?? this.#add(first, second)
    tallied.outcomes.set(outcome, (tallied.outcomes.get(outcome) ?? 0) + 1)
    let bucket = 0
    while (bucket < seconds.length && duration > seconds[bucket]!) bucket++
    tallied.buckets[bucket]!++
    tallied.sum += duration
  }

  #add(first: string, second: string): Tallied {
    const [name, other] = this.#labelNames
    const labels = { [name]: first, [other]: second }
    const tallied = { labels, outcomes: new Map(), buckets: [...seconds, 0].fill(0), sum: 0 }
    const ofFirst = this.#tallied.get(first) ?? new Map<string, Tallied>()
    this.#tallied.set(first, ofFirst.set(second, tallied))
    return tallied
  }

  #all(): readonly Tallied[] {
    return [...this.#tallied.values()].flatMap(ofFirst => [...ofFirst.values()])
  }

  #durations() {
    const { duration } = this.#names
    return this.#all().flatMap(({ labels, buckets, sum }) => {
      let count = 0
      const upTo = buckets.map((calls, i) => {
        count += calls
        return { metricName: `${duration}_bucket`, labels: { le: seconds[i] ?? '+Inf', ...labels }, value: count }
      })
      return [
        ...upTo,
        { metricName: `${duration}_sum`, labels, value: sum },
        { metricName: `${duration}_count`, labels, value: count },
      ]
    })
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
