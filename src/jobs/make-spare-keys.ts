import type { Hsm, JobServices } from '../services.ts'
import { dropSpare, makeSpare, spareKinds, sparesOf } from '../vault/spare-keys.ts'
import { job } from './job.ts'
import { PerHsm } from './per-hsm.ts'

/** Milliseconds without another attempt after one that failed. */
const pause = 60_000

interface Stock {
  readonly hsm: Hsm
  /** By `elapsed`. */
  pausedUntil: number
}

/**
 * In emulator mode, keeps as many spare keys on the HSM of each region as the configuration says: one at a time, and only while the HSM has
 * nothing else to do. Drops those that are too many, as are all of them in another mode.
 */
export const makeSpareKeys = job({
  name: 'make-spare-keys',
  interval: 100,
  start(services) {
    const stocks = new PerHsm((hsm): Stock => ({ hsm, pausedUntil: 0 }))
    return async () => {
      const due = stocks.of(services.hsms.regional).filter(({ pausedUntil }) => services.elapsed() >= pausedUntil)
      await Promise.all(due.map(stock => adjust(stock, services)))
    }
  },
})

async function adjust(stock: Stock, services: JobServices): Promise<void> {
  const { hsm } = stock
  const wanted = services.emulator?.spareRsaKeys ?? 0
  try {
    for (const kind of spareKinds) {
      const spares = sparesOf(hsm.name, kind, services.storage)
      if (spares.length > wanted) return await dropSpare(spares[0]!, true, services)
      const isIdle = hsm.health.state === 'ready' && hsm.pending === 0
      if (spares.length < wanted && isIdle && hsm.whyUnsupported(kind.spec) === undefined) {
        return await makeSpare(hsm, kind, services)
      }
    }
  } catch (thrown) {
    stock.pausedUntil = services.elapsed() + pause
    services.log.warn({ event: 'spare_key_failed', err: thrown, hsm: hsm.name }, 'Cannot make or drop a spare key')
  }
}
