import { setTimeout as delay } from 'node:timers/promises'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import type { Figure } from './figure.ts'
import { type BenchGateway, DataFolder } from './gateway.ts'
import { latencies, percentile } from './latencies.ts'

const generations = 12

/** The 99th percentile of Encrypt's latency while RSA_4096 keys are generated without pause, against that without. */
export async function encryptDuringGeneration(): Promise<Figure> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const { KeyMetadata } = await gateway.client.send(new CreateKeyCommand({}))
  const caller = { client: gateway.client, keyId: KeyMetadata!.KeyId! }
  await latencies(caller, delay(5000))
  const idle = await latencies(caller, delay(5000))
  const busy = await latencies(caller, generate(gateway))
  await gateway.stop()
  folder.remove()
  const [before, during] = [percentile(idle.taken, 0.99), percentile(busy.taken, 0.99)]
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
