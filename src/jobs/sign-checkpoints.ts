import { job } from './job.ts'

/** Signs the audit journal: see vault/checkpoints.ts. An HSM that is away delays that, and no call. */
export const signCheckpoints = job({
  name: 'sign-checkpoints',
  interval: 1000,
  perGateway: true,
  start({ checkpoints, metrics, log }) {
    let failing = false
    return async () => {
      metrics.checkpoints(checkpoints)
      try {
        await checkpoints.signDue()
        if (failing) log.info({ event: 'checkpoint_recovered' }, 'Audit checkpoints can be signed again')
        failing = false
      } catch (thrown) {
        if (!failing) log.error({ event: 'checkpoint_failed', err: thrown }, 'Cannot sign audit checkpoints')
        failing = true
      }
      metrics.checkpoints(checkpoints)
    }
  },
})
