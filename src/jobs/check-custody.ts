import { CustodyWatch } from './custody-watch.ts'
import { job } from './job.ts'

/**
 * Looks at the objects of every key, the gateway's own included, on each HSM: all of them at once after the start and after an
 * HSM has come back, and then every hour. It creates and destroys nothing on the HSM.
 */
export const checkCustody = job({
  name: 'check-custody',
  interval: 1000,
  start(services) {
    const watches = services.hsms.all.map(hsm => new CustodyWatch(hsm, services))
    return async () => {
      await Promise.all(watches.map(watch => watch.run()))
    }
  },
})
