import { job } from './job.ts'

/** Writes counts of encryptions, and the last uses of keys and of access keys: a crash loses what was used since the last run. */
export const writeUses = job({
  name: 'write-uses',
  interval: 10_000,
  perGateway: true,
  runsAtEnd: true,
  start({ storage }) {
    return () => storage.writeUses()
  },
})
