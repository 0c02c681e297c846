import type { Audit, Health, Hsms, Storage } from './services.ts'
import { checkCanary } from './vault/system-keys.ts'

export interface Readiness {
  readonly ready: boolean
  /** What is wrong, by part; never a detail that an anonymous caller should not see. */
  readonly parts: Readonly<Record<string, 'ok' | 'failing'>>
}

/** Milliseconds for which an answer stands, so that probes cost the HSM nothing. */
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
 * Asks storage and the audit journal to write, and each HSM to encrypt and decrypt with its canary key.
 * Keys that are not in custody show; only those of the gateway itself keep it from serving everyone.
 */
export function createReadiness({ storage, audit, hsms }: Probed, elapsed: () => number): ReadinessProbe {
  const custody = new Map(hsms.all.map(({ name }) => [name, { keys: 0, systemKeys: 0 }]))
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

/** A clock that is not trusted delays the deletion of keys, and keeps nobody from being served. */
function withClock({ ready, parts }: Readiness, isTrusted: boolean): Readiness {
  return { ready, parts: { ...parts, clock: isTrusted ? 'ok' : 'failing' } }
}

type Custody = ReadonlyMap<string, Parameters<Health['custody']>[1]>

async function probe({ storage, audit, hsms }: Probed, custody: Custody): Promise<Readiness> {
  const checks: [string, Promise<void>][] = [
    ['storage', storage.check()],
    ['audit', audit.check()],
    ...hsms.all.map(({ name }): [string, Promise<void>] => [`hsm/${name}`, checkCanary(name, { storage, hsms })]),
  ]
  const outcomes = await Promise.allSettled(checks.map(([, check]) => check))
  const parts = [
    ...checks.map(([part], i) => [part, outcomes[i]?.status === 'fulfilled'] as const),
    ...[...custody].map(([hsm, { keys, systemKeys }]) => [`custody/${hsm}`, keys + systemKeys === 0] as const),
  ]
  return {
    ready:
      outcomes.every(({ status }) => status === 'fulfilled') &&
      [...custody.values()].every(({ systemKeys }) => systemKeys === 0),
    parts: Object.fromEntries(parts.map(([part, isOk]) => [part, isOk ? 'ok' : 'failing'] as const)),
  }
}
