import { job } from './job.ts'

/** Writes audit records that could not be written when their changes were committed, as soon as they can: see outbox.ts. */
export const settleRecords = job({
  name: 'settle-records',
  interval: 1000,
  start({ outbox, log }) {
    let failing = false
    return async () => {
      try {
        await outbox.settle()
        if (failing) log.info({}, 'audit records can be written again')
        failing = false
      } catch (thrown) {
        if (!failing) log.error({ err: thrown }, 'audit records cannot be written')
        failing = true
      }
    }
  },
})
