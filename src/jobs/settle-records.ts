import { job } from './job.ts'

/** Writes audit records that could not be written when their changes were committed, as soon as they can: see outbox.ts. */
export const settleRecords = job({
  name: 'settle-records',
  interval: 1000,
  start:
    ({ outbox }) =>
    () =>
      outbox.settle(),
})
