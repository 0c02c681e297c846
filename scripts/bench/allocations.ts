import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { encryptScript } from './encrypt.ts'
import type { Figure } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load } from './load.ts'

/** Bytes for each Encrypt at commit 1718f94, by this very measurement: they do not depend on the machine. */
const reference = 38_600

/** Bytes that the main isolate of a gateway allocates for each Encrypt, by the garbage collector's own account (v8.GCProfiler). */
export async function bytesPerEncrypt(): Promise<Figure> {
  const folder = new DataFolder()
  const file = join(folder.path, 'allocations')
  const gateway = await folder.serve({
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'allocations-preload.ts')}`,
    ALLOCATIONS_FILE: file,
  })
  const script = await encryptScript(folder, gateway)
  await load(gateway.url, script, 20)
  process.kill(gateway.pid, 'SIGUSR2')
  const { requests } = await load(gateway.url, script, 10)
  process.kill(gateway.pid, 'SIGUSR2')
  while (!existsSync(file)) await delay(100)
  const bytes = Number(readFileSync(file, 'utf8')) / requests
  await gateway.stop()
  folder.remove()
  return {
    name: 'bytes allocated per Encrypt / at commit 1718f94',
    value: bytes / reference,
    unit: '',
    reach: { atMost: 0.5 },
    details: `${Math.round(bytes)} bytes against ${reference}`,
  }
}
