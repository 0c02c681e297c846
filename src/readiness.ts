import { decryptBlob, encryptBlob } from './operations/ciphertexts.ts'
import type { Hsms, Storage } from './services.ts'

export interface Readiness {
  readonly ready: boolean
  /** What is wrong, by part; never a detail that an anonymous caller should not see. */
  readonly parts: Readonly<Record<string, 'ok' | 'failing'>>
}

/** Milliseconds for which an answer stands, so that probes cost the HSM nothing. */
const validity = 2000

/** Asks storage to write, and each HSM to encrypt and decrypt with its canary key: a search would succeed even on a lost token. */
export function createReadiness(storage: Storage, hsms: Hsms, clock: () => number): () => Promise<Readiness> {
  let answer: Promise<Readiness> | undefined
  let validUntil = 0
  return () => {
    if (!answer || clock() >= validUntil) {
      validUntil = clock() + validity
      answer = probe(storage, hsms)
    }
    return answer
  }
}

async function probe(storage: Storage, hsms: Hsms): Promise<Readiness> {
  const checks: [string, Promise<void>][] = [
    ['storage', storage.check()],
    ...hsms.all.map(({ name }): [string, Promise<void>] => [`hsm/${name}`, askCanary(name, storage, hsms)]),
  ]
  const outcomes = await Promise.allSettled(checks.map(([, check]) => check))
  const parts = Object.fromEntries(
    checks.map(([part], i) => [part, outcomes[i]?.status === 'fulfilled' ? 'ok' : 'failing'] as const),
  )
  return { ready: outcomes.every(({ status }) => status === 'fulfilled'), parts }
}

async function askCanary(hsm: string, storage: Storage, hsms: Hsms): Promise<void> {
  const canary = storage.systemKeys.find(hsm, 'canary')
  if (!canary) throw new Error('no canary key')
  const song = Buffer.from('canary')
  const blob = await encryptBlob(hsms, canary.material, song)
  if (!song.equals(await decryptBlob(hsms, canary.material, blob))) throw new Error('the canary does not sing')
}
