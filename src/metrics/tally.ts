import { Counter, type Metric, type Registry } from 'prom-client'

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

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
export class Tally {
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

  /** @param first value of the first label */
  forget(first: string): void {
    this.#tallied.delete(first)
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
