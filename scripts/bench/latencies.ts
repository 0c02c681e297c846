import { setTimeout as delay } from 'node:timers/promises'
import { EncryptCommand, type KMSClient } from '@aws-sdk/client-kms'

/** Callers that encrypt every few milliseconds, fewer than would load the machine. */
const callers = 2
const interval = 20

export interface Latencies {
  /** Milliseconds. */
  readonly taken: readonly number[]
  readonly refused: number
}

/** Of each Encrypt until the end, from when it was due: one that holds up those behind it counts for all of them. */
export async function latencies(
  { client, keyId }: { readonly client: KMSClient; readonly keyId: string },
  end: Promise<unknown>,
): Promise<Latencies> {
  const taken: number[] = []
  let refused = 0
  let ended = false
  end.finally(() => {
    ended = true
  })
  const begin = performance.now()
  const caller = async () => {
    for (let due = begin; !ended; due += interval) {
      await delay(Math.max(0, due - performance.now()))
      await client.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.alloc(32) })).catch(() => refused++)
      taken.push(performance.now() - due)
    }
  }
  await Promise.all([...Array.from({ length: callers }, caller), end])
  return { taken, refused }
}

export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!
}
