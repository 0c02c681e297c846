import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Storage } from '../../src/storage/storage.ts'
import { openFile } from '../../test/storage/open.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load } from './load.ts'

const materials = Array.from({ length: 100 }, () => randomBytes(32).toString('hex'))
const rounds = 20
const encryptions = 100_000

/** The time in which an encryption is counted under its key material, and the counts are written now and then, against that of an Encrypt. */
export async function countEncryptions(): Promise<Figure> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const script = await encryptScript(folder, gateway)
  // Until the machine code has settled.
  await load(gateway.url, script, 15)
  const rates: number[] = []
  for (let round = 0; round < 5; round++) rates.push((await load(gateway.url, script, 3)).requestsPerSecond)
  await gateway.stop()
  const storage = await openFile(join(folder.path, 'strongroom.db'))
  const times: number[] = []
  for (let round = 0; round < rounds; round++) times.push(await timeOf(storage))
  await storage.close()
  folder.remove()
  const [count, encrypt] = [median(times), 1e9 / median(rates)]
  return {
    name: 'counting an encryption / Encrypt',
    value: count / encrypt,
    unit: '',
    reach: { atMost: 0.01 },
    details: `${count.toFixed(0)} ns against ${encrypt.toFixed(0)} ns`,
  }
}

/** Nanoseconds for each encryption, with one write: more often than the job writes. */
async function timeOf(storage: Storage): Promise<number> {
  const before = performance.now()
  for (let i = 0; i < encryptions; i++) {
    const material = materials[i % materials.length]!
    storage.encryptions.made(material)
    const writing = storage.encryptions.count(material)
    if (writing) await writing
  }
  await storage.writeUses()
  return ((performance.now() - before) * 1e6) / encryptions
}
