import type { Audit, Health, Hsms, Storage } from './services.ts'
import { checkCanary } from './vault/system-keys.ts'

export interface Readiness {
  readonly ready: boolean
  /** By part; no details, as anonymous callers can see it. */
  readonly parts: Readonly<Record<string, 'ok' | 'failing'>>
}

/** Milliseconds for which a result is cached, so that probes do not load the HSM. */
const validity = 2000

export interface ReadinessProbe extends Health {
  probe(): Promise<Readiness>
}

interface Probed {
  readonly storage: Storage
  readonly audit: Pick<Audit, 'check'>
  readonly hsms: Hsms
}

/**
 * Tests that storage and audit journal are writable, that the gateway has a lease, and that each HSM of a region encrypts and decrypts with
 * its canary key. Custody faults are shown; only those of the gateway's own keys make it unready.
 */
export function createReadiness({ storage, audit, hsms }: Probed, elapsed: () => number): ReadinessProbe {
  const custody = new Map<string, CustodyCounts>()
  let answer: Promise<Readiness> | undefined
  let validUntil = 0
  let isClockTrusted = true
  return {
    probe() {
      if (!answer || elapsed() >= validUntil) {
        validUntil = elapsed() + validity
        answer = probe({ storage, audit, hsms }, custody).then(found => withClock(found, isClockTrusted))
      }
      return answer
    },
    custody: (hsm, faults) => void custody.set(hsm, faults),
    clock(trusted) {
      isClockTrusted = trusted
    },
  }
}

/** An unstable clock delays the deletion of keys only; the gateway stays ready. */
function withClock({ ready, parts }: Readiness, isTrusted: boolean): Readiness {
  return { ready, parts: { ...parts, clock: isTrusted ? 'ok' : 'failing' } }
}

type CustodyCounts = Parameters<Health['custody']>[1]

async function probe({ storage, audit, hsms }: Probed, known: ReadonlyMap<string, CustodyCounts>): Promise<Readiness> {
  const custody = hsms.regional.map(({ name }) => [name, known.get(name) ?? { keys: 0, systemKeys: 0 }] as const)
  const checks: [string, Promise<void>][] = [
    ['storage', storage.check()],
    ['audit', audit.check()],
    ...hsms.regional.map(({ name }): [string, Promise<void>] => [`hsm/${name}`, checkCanary(name, { storage, hsms })]),
  ]
  const outcomes = await Promise.allSettled(checks.map(([, check]) => check))
  const { mayServe, isAlone } = storage.fleet
  // Without the database, a gateway of a fleet serves what needs no change until its lease ends.
  const isNeeded = (part: string) => isAlone || part !== 'storage'
  const parts = [
    ...(isAlone ? [] : [['lease', mayServe] as const]),
    ...checks.map(([part], i) => [part, outcomes[i]?.status === 'fulfilled'] as const),
    ...custody.map(([hsm, { keys, systemKeys }]) => [`custody/${hsm}`, keys + systemKeys === 0] as const),
  ]
  return {
    ready:
      mayServe &&
      checks.every(([part], i) => outcomes[i]?.status === 'fulfilled' || !isNeeded(part)) &&
      custody.every(([, { systemKeys }]) => systemKeys === 0),
    parts: Object.fromEntries(parts.map(([part, isOk]) => [part, isOk ? 'ok' : 'failing'] as const)),
  }
}
