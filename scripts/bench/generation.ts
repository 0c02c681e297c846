import { setTimeout as delay } from 'node:timers/promises'
import { CreateKeyCommand, EncryptCommand } from '@aws-sdk/client-kms'
import type { Figure } from './figure.ts'
import { type BenchGateway, DataFolder } from './gateway.ts'

/** Callers that encrypt every few milliseconds, fewer than would load the machine. */
const callers = 2
const interval = 20
const generations = 12

/** The 99th percentile of Encrypt's latency while RSA_4096 keys are generated without pause, against that without. */
export async function encryptDuringGeneration(): Promise<Figure> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const { KeyMetadata } = await gateway.client.send(new CreateKeyCommand({}))
  const keyId = KeyMetadata!.KeyId!
  await latencies(gateway, keyId, delay(5000))
  const idle = await latencies(gateway, keyId, delay(5000))
  const busy = await latencies(gateway, keyId, generate(gateway))
  await gateway.stop()
  folder.remove()
  const [before, during] = [percentile(idle, 0.99), percentile(busy, 0.99)]
  return {
    name: 'Encrypt p99 during RSA_4096 generation / before',
    value: during / before,
    unit: '',
    reach: { atMost: 3 },
    details: `${during.toFixed(1)} ms against ${before.toFixed(1)} ms`,
  }
}

async function generate({ client }: BenchGateway): Promise<void> {
  for (let made = 0; made < generations; made++) {
    await client.send(new CreateKeyCommand({ KeySpec: 'RSA_4096', KeyUsage: 'SIGN_VERIFY' }))
  }
}

/** Milliseconds of each Encrypt until the end, from when it was due: one that holds up those behind it counts for all of them. */
async function latencies({ client }: BenchGateway, keyId: string, end: Promise<void>): Promise<number[]> {
  const taken: number[] = []
  let ended = false
  end.finally(() => {
    ended = true
  })
  const begin = performance.now()
  const caller = async () => {
    for (let due = begin; !ended; due += interval) {
      await delay(Math.max(0, due - performance.now()))
      await client.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.alloc(32) }))
      taken.push(performance.now() - due)
    }
  }
  await Promise.all([...Array.from({ length: callers }, caller), end])
  return taken
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!
}
