import type { Hsm, HsmStatus, JobServices } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { job } from './job.ts'
import { PerHsm } from './per-hsm.ts'

/** Milliseconds between two records about an HSM: one that comes and goes cannot fill the audit. */
const rest = 10_000

type State = HsmStatus['health']['state']

interface Watch {
  readonly hsm: Hsm
  /** At the last run. A gateway does not start without its HSMs. */
  seen: State
  /** Of the state, since the last record. */
  transitions: number
  /** By `elapsed`. */
  restUntil: number
}

/** Puts on record when an HSM becomes unavailable, for another reason than before, or available again. */
export const watchHsms = job({
  name: 'watch-hsms',
  interval: 1000,
  start(services) {
    const watches = new PerHsm((hsm): Watch => ({ hsm, seen: 'ready', transitions: 0, restUntil: 0 }))
    return async () => {
      for (const watch of watches.of(services.hsms)) await check(watch, services)
    }
  },
})

async function check(watch: Watch, { audit, outbox, elapsed }: JobServices): Promise<void> {
  const { hsm, restUntil } = watch
  const { state, reason } = hsm.health
  if (state !== watch.seen) watch.transitions++
  watch.seen = state
  if (watch.transitions === 0 || elapsed() < restUntil) return
  const { transitions } = watch
  const name = state === 'ready' ? 'MarkHsmAvailable' : 'MarkHsmUnavailable'
  const cause = state === 'ready' ? {} : { state, reason }
  await outbox.record(new Changes(), audit.gatewayEvent(name, { hsm: hsm.name, ...cause, transitions }))
  watch.transitions -= transitions
  watch.restUntil = elapsed() + rest
}
