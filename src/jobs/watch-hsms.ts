import type { HsmStatus, JobServices } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { job } from './job.ts'

/** Milliseconds between two records about an HSM: one that comes and goes cannot fill the audit. */
const rest = 10_000

type Status = Pick<HsmStatus['health'], 'state' | 'reason'> & { readonly name: string }

interface Watch {
  /** At the last run. */
  state: Status['state']
  /** Of the state, since the last record. */
  transitions: number
  /** By `elapsed`. */
  restUntil: number
}

/** Puts on record when an HSM, or a member of a cluster, becomes unavailable, for another reason than before, or available again. */
export const watchHsms = job({
  name: 'watch-hsms',
  interval: 1000,
  perGateway: true,
  start(services) {
    const watches = new Map<string, Watch>()
    return async () => {
      const statuses = services.hsms.all.flatMap(({ name, health }) => [{ name, ...health }, ...(health.members ?? [])])
      for (const status of statuses) {
        // A gateway starts with HSMs that are ready.
        const watch = watches.get(status.name) ?? { state: 'ready', transitions: 0, restUntil: 0 }
        watches.set(status.name, watch)
        await check(watch, status, services)
      }
    }
  },
})

async function check(watch: Watch, status: Status, { audit, outbox, elapsed }: JobServices): Promise<void> {
  const { name: hsm, state, reason } = status
  if (state !== watch.state) watch.transitions++
  watch.state = state
  if (watch.transitions === 0 || elapsed() < watch.restUntil) return
  watch.restUntil = elapsed() + rest
  const { transitions } = watch
  const [name, why] = state === 'ready' ? ['MarkHsmAvailable', {}] : ['MarkHsmUnavailable', { state, reason }]
  await outbox.record(new Changes(), audit.gatewayEvent(name, { hsm, ...why, transitions }))
  watch.transitions -= transitions
}
