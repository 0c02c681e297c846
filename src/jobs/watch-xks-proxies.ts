import { job } from './job.ts'

/** Asks the proxies of connected external key stores for their health, which metrics tell: as often as a proxy has to know it anew. */
export const watchXksProxies = job({
  name: 'watch-xks-proxies',
  interval: 60_000,
  perGateway: true,
  start:
    ({ externalKeyStores }) =>
    () =>
      externalKeyStores.poll(),
})
