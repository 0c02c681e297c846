import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RequestMetrics, Storage } from '../services.ts'

/** Undefined: another gateway has the lease of the jobs. */
interface HeldJobs {
  readonly fence: number | undefined
}

/** Metrics of a gateway that shares its database with others. */
export interface FleetMetrics extends Pick<RequestMetrics, 'settling'> {
  /** From now on they are told: of a gateway that is alone there are none. */
  watchFleet(fleet: Storage['fleet'], jobLease: HeldJobs): void
  leaseLost(): void
  viewReloaded(): void
}

/** Seconds: a message to another gateway and back takes milliseconds, a gateway that is gone the length of a lease. */
const buckets = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5, 15, 30, 60]

export function fleetMetrics(registry: Registry): FleetMetrics {
  const registers: Registry[] = []
  const waits = new Histogram({
    name: 'strongroom_settle_wait_seconds',
    help: 'Time that answers waited until every gateway showed what they could show',
    buckets,
    registers,
  })
  const lost = new Counter({
    name: 'strongroom_lease_lost_total',
    help: 'Times that the gateway lost its lease, and stopped serving',
    registers,
  })
  const reloads = new Counter({
    name: 'strongroom_view_reloads_total',
    help: 'Times that all records were read again, as the log of changes did not lead to the present',
    registers,
  })
  return {
    watchFleet(fleet, jobLease) {
      for (const metric of [waits, lost, reloads]) registry.registerMetric(metric)
      for (const [name, help, value] of gauges(fleet, jobLease))
        new Gauge({
          name,
          help,
          registers: [registry],
          collect() {
            this.set(value())
          },
        })
    },
    leaseLost: () => lost.inc(),
    viewReloaded: () => reloads.inc(),
    settling() {
      const start = performance.now()
      return () => waits.observe((performance.now() - start) / 1000)
    },
  }
}

type ValueOf = readonly [name: string, help: string, value: () => number]

function gauges(fleet: Storage['fleet'], jobLease: HeldJobs): readonly ValueOf[] {
  return [
    ['strongroom_view_change_number', 'Number of the last change that the gateway shows', () => fleet.applied],
    [
      'strongroom_view_lag_seconds',
      'Time since the gateway was last known to show every change',
      () => fleet.lag / 1000,
    ],
    [
      'strongroom_lease_seconds',
      'Time for which the gateway may serve if it cannot renew its lease',
      () => fleet.leaseLeft / 1000,
    ],
    ['strongroom_job_lease', '1 on the gateway that runs the jobs of all', () => Number(jobLease.fence !== undefined)],
  ]
}
