import { job } from './job.ts'

/** Writes when and from where access keys were last used: a crash loses what was used since the last run. */
export const writeAccessKeyUses = job({
  name: 'write-access-key-uses',
  interval: 10_000,
  runsAtEnd: true,
  start({ accessKeyUses }) {
    return () => accessKeyUses.flush()
  },
})
