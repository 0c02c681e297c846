import { appendFileSync, createReadStream } from 'node:fs'
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
 * before; how long that takes; and how many calls are refused while they are rotated without rests.
 */
export async function rotateManyKeys(): Promise<Figure[]> {
  const folder = new DataFolder()
  await addKeys(folder, keys)
  await enableRotations(folder, Date.now() + untilDue)
  const rotations = new Rotations(folder)
  const figures = await withRests(folder, rotations)
  appendFileSync(join(folder.path, 'strongroom.yaml'), '\nrotation:\n  timeShare: 1\n')
  figures.push(await withoutRests(folder, rotations))
  folder.remove()
  return figures
}

async function withRests(folder: DataFolder, rotations: Rotations): Promise<Figure[]> {
  const gateway = await folder.serve()
  const caller = await impatientCaller(folder, gateway)
  await latencies(caller, delay(5000))
  const idle = await latencies(caller, delay(10_000))
  const first = await rotations.reach(1)
  const start = performance.now()
  const busy = await latencies(caller, delay(60_000))
  const rate = ((await rotations.reach(1)) - first) / (performance.now() - start)
  await gateway.stop()
  const [before, during] = [percentile(idle.taken, 0.99), percentile(busy.taken, 0.99)]
  return [
    {
      name: 'Encrypt p99 during rotations / before',
      value: during / before,
      unit: '',
      reach: { atMost: 2 },
      details: `${during.toFixed(1)} ms against ${before.toFixed(1)} ms`,
    },
    { name: `time to rotate ${keys} keys`, value: keys / rate / 3_600_000, unit: 'h', reach: { atMost: 24 } },
  ]
}

async function withoutRests(folder: DataFolder, rotations: Rotations): Promise<Figure> {
  const gateway = await folder.serve()
  const caller = await impatientCaller(folder, gateway)
  const first = await rotations.reach(1)
  const start = performance.now()
  const busy = await latencies(caller, rotations.reach(keys))
  const rate = ((keys - first) * 1000) / (performance.now() - start)
  await gateway.stop()
  return {
    name: `calls refused while ${keys} keys are rotated`,
    value: busy.refused,
    unit: '',
    reach: { atMost: 0 },
    details: `of ${busy.taken.length}, ${Math.round(rate)} rotations a second`,
  }
}

/** Without retries. */
async function impatientCaller(folder: DataFolder, { url, client }: BenchGateway) {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
  const impatient = new KMSClient({ endpoint: url, region, credentials: folder.credentials, maxAttempts: 1 })
  return { client: impatient, keyId: KeyMetadata!.KeyId! }
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

  /** Resolves to how many there are. */
  async reach(count: number): Promise<number> {
    do {
      await delay(500)
      await this.#read()
    } while (this.#done < count)
    return this.#done
  }

  async #read(): Promise<void> {
    const chunks = createReadStream(this.#journal, { start: this.#position, encoding: 'latin1' })
    const text = (await chunks.toArray()).join('')
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    this.#position += whole.length
    this.#done += whole.split('"eventName":"RotateKey"').length - 1
  }
}
