import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { JournalMetrics } from '../services.ts'

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** Metrics of the audit journal. */
export function journalMetrics(registry: Registry): JournalMetrics {
  const registers = [registry]
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const durations = new Histogram({
    name: 'strongroom_audit_write_duration_seconds',
    help: 'Time to make a block of audit records durable, or to fail',
    buckets: seconds,
    registers,
  })
  const records = new Counter({ name: 'strongroom_audit_records_total', help: 'Audit records written', registers })
  const segment = gauge('strongroom_audit_segment', 'Number of the segment of the audit journal that is being written')
  const bytes = gauge('strongroom_audit_segment_bytes', 'Size of that segment')
  const failing = gauge('strongroom_audit_failing', '1 while the audit journal cannot be written: requests are refused')
  const damaged = gauge(
    'strongroom_audit_damaged',
    '1 if the audit journal was found damaged since the gateway started',
  )
  const rotation = gauge('strongroom_audit_rotation_failing', '1 while a full segment cannot be renamed')
  return {
    auditWriteStarted() {
      const start = performance.now()
      return () => durations.observe((performance.now() - start) / 1000)
    },
    auditWritten(end) {
      records.inc(end.records)
      segment.set(end.segment)
      bytes.set(end.bytes)
    },
    auditFailing: isFailing => failing.set(Number(isFailing)),
    auditDamaged: () => damaged.set(1),
    auditRotationFailing: isFailing => rotation.set(Number(isFailing)),
  }
}
