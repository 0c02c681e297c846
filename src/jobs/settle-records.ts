import { job } from './job.ts'

/** Delivers audit records that could not be written when their changes were committed: see outbox.ts. */
export const settleRecords = job({
  name: 'settle-records',
  interval: 1000,
  perGateway: true,
  start({ outbox, log }) {
    let failing = false
    return async () => {
      try {
        await outbox.settle()
        if (failing) log.info({ event: 'audit_write_recovered' }, 'Audit records can be written again')
        failing = false
      } catch (thrown) {
        if (!failing) log.error({ event: 'audit_write_failed', err: thrown }, 'Cannot write audit records')
        failing = true
      }
    }
  },
})
