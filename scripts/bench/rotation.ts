import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { Changes } from '../../src/storage/storage.ts'
import { openFile } from '../../test/storage/open.ts'
import type { Figure } from './figure.ts'
import { type BenchGateway, DataFolder, region } from './gateway.ts'
import { latencies, percentile } from './latencies.ts'
import { addKeys } from './scale.ts'

const keys = 10_000
/** Longer than a start and the measurement without rotations, shorter than the interval of the job. */
const untilDue = 30_000

/**
 * 10,000 keys become due for automatic rotation at once: the 99th percentile of Encrypt's latency while they are rotated, against that
 * before; and how many calls are refused meanwhile.
 */
export async function rotateManyKeys(): Promise<Figure[]> {
  const folder = new DataFolder()
  await addKeys(folder, keys)
  await enableRotations(folder, Date.now() + untilDue)
  const rotations = new Rotations(folder)
  const gateway = await folder.serve()
  const { KeyMetadata } = await gateway.client.send(new CreateKeyCommand({}))
  const impatient = { client: impatientClient(folder, gateway), keyId: KeyMetadata!.KeyId! }
  await latencies(impatient, delay(5000))
  const idle = await latencies(impatient, delay(10_000))
  await rotations.reach(1)
  const start = performance.now()
  const busy = await latencies(impatient, rotations.reach(keys))
  const seconds = (performance.now() - start) / 1000
  await gateway.stop()
  folder.remove()
  const [before, during] = [percentile(idle.taken, 0.99), percentile(busy.taken, 0.99)]
  return [
    {
      name: 'Encrypt p99 during rotations / before',
      value: during / before,
      unit: '',
      reach: { atMost: 2 },
      details: `${during.toFixed(1)} ms against ${before.toFixed(1)} ms, ${Math.round(keys / seconds)} rotations a second`,
    },
    {
      name: `calls refused while ${keys} keys are rotated`,
      value: busy.refused,
      unit: '',
      reach: { atMost: 0 },
      details: `of ${busy.taken.length}`,
    },
  ]
}

/** Without retries. */
function impatientClient(folder: DataFolder, { url }: BenchGateway): KMSClient {
  return new KMSClient({ endpoint: url, region, credentials: folder.credentials, maxAttempts: 1 })
}

async function enableRotations(folder: DataFolder, nextDate: number): Promise<void> {
  const storage = await openFile(join(folder.path, 'strongroom.db'))
  const changes = new Changes()
  for (const key of storage.keys.onHsm('softhsm'))
    changes.put('keys', { ...key, automaticRotation: { periodInDays: 365, nextDate } })
  await storage.commit(changes)
  await storage.close()
}

/** Follows the audit journal: reading it whole would hold up the callers of this process. */
class Rotations {
  readonly #journal: string
  #position = 0
  #done = 0

  constructor(folder: DataFolder) {
    this.#journal = join(folder.path, 'audit.jsonl')
  }

  async reach(count: number): Promise<void> {
    while (this.#done < count) {
      await delay(500)
      await this.#read()
    }
  }

  async #read(): Promise<void> {
    const chunks = createReadStream(this.#journal, { start: this.#position, encoding: 'latin1' })
    const text = (await chunks.toArray()).join('')
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    this.#position += whole.length
    this.#done += whole.split('"eventName":"RotateKey"').length - 1
  }
}
