import { job } from './job.ts'

/** Milliseconds: a gateway that was away for longer reads all records again. */
const kept = 60 * 60 * 1000

/** Forgets old entries of the log that gateways follow. */
export const pruneChanges = job({
  name: 'prune-changes',
  interval: 10 * 60 * 1000,
  start({ storage }) {
    return () => storage.fleet.prune(kept)
  },
})
