import { join } from 'node:path'
import { appendTimes } from './append.ts'
import { startEcho } from './echo.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load } from './load.ts'

const appends = 500

/**
 * The median latency of Encrypt on one connection against what it cannot do without: an answer over HTTP, as the bare Fastify echo gives
 * it, and an append to the audit journal that is on disk. In turns.
 */
export async function encryptOnOneConnection(): Promise<Figure> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const script = await encryptScript(folder, gateway)
  const echo = await startEcho()
  const times = { encrypt: [] as number[], echo: [] as number[], append: [] as number[] }
  // Until the machine code of both has settled.
  await load(gateway.url, script, 15)
  await load(echo.url, script, 5)
  for (let round = 0; round < 5; round++) {
    times.echo.push((await load(echo.url, script, 2, 1)).p50)
    times.append.push(median(appendTimes(join(folder.path, 'appended'), appends)))
    times.encrypt.push((await load(gateway.url, script, 3, 1)).p50)
  }
  await Promise.all([echo.stop(), gateway.stop()])
  folder.remove()
  const [encrypt, bare, append] = [median(times.encrypt), median(times.echo), median(times.append)]
  return {
    name: 'Encrypt on 1 connection, p50 / echo and append',
    value: encrypt / (bare + append),
    unit: '',
    reach: { atMost: 1.6 },
    details: `${encrypt.toFixed(2)} ms against ${bare.toFixed(2)} ms and ${append.toFixed(2)} ms`,
  }
}
