import { job } from './job.ts'

/** Milliseconds: a gateway that starts again within that time writes its records itself. */
const patience = 600_000

/** Writes the audit records that gateways without a lease left in storage: see outbox.ts. */
export const takeOverRecords = job({
  name: 'take-over-records',
  interval: 60_000,
  start({ outbox, elapsed, log }) {
    let seen = new Map<string, number>()
    return async () => {
      const abandoned = await outbox.abandoned()
      const now = elapsed()
      seen = new Map(abandoned.map(({ eventId }) => [eventId, seen.get(eventId) ?? now]))
      const records = await outbox.takeOver(abandoned.filter(({ eventId }) => now - seen.get(eventId)! >= patience))
      if (records === 0) return
      log.warn({ event: 'audit_records_taken_over', records }, 'Writing audit records of gateways that do not run')
      await outbox.settle()
    }
  },
})
