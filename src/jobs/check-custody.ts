import { CustodyWatch } from './custody-watch.ts'
import { job } from './job.ts'
import { PerHsm } from './per-hsm.ts'

/**
 * Checks the HSM objects of every key, including the gateway's own: after the start, after an HSM has recovered, and every hour. Creates
 * and destroys nothing on the HSM.
 */
export const checkCustody = job({
  name: 'check-custody',
  interval: 1000,
  start(services) {
    const watches = new PerHsm(hsm => new CustodyWatch(hsm, services))
    return async () => {
      await Promise.all(watches.of(services.hsms.all).map(watch => watch.run()))
    }
  },
})
