/** How far the audit sinks are behind the journal. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { SinkState } from '../audit/sinks/sink-process.ts'

/** @param sinks read at each scrape */
export function registerSinkMetrics(registry: Registry, sinks: () => readonly SinkState[]): void {
  const common = { labelNames: ['sink'], registers: [registry] }
  new Gauge({
    ...common,
    name: 'strongroom_audit_sink_lag_records',
    help: 'Audit records in the journal after the last one that the sink has passed',
    collect() {
      for (const { name, lagRecords } of sinks()) this.set({ sink: name }, lagRecords)
    },
  })
  new Gauge({
    ...common,
    name: 'strongroom_audit_sink_lag_seconds',
    help: 'Age of the oldest line of the journal that the sink has not passed',
    collect() {
      for (const { name, lagSeconds } of sinks()) this.set({ sink: name }, lagSeconds)
    },
  })
  new Counter({
    ...common,
    name: 'strongroom_audit_sink_errors_total',
    help: 'Failed deliveries to the sink, gaps in what it gets, and losses of its process',
    collect() {
      this.reset()
      for (const { name, errors } of sinks()) this.inc({ sink: name }, errors)
    },
  })
}
