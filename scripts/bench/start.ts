import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Figure, median } from './figure.ts'
import { announcedUrl, DataFolder, freePort } from './gateway.ts'
import { addKeys } from './scale.ts'

/** From ./scripts/start to an answer of /readyz, with 100 keys and everything installed. */
export async function startToReady(): Promise<Figure> {
  const folder = new DataFolder()
  await addKeys(folder, 100)
  const times: number[] = []
  for (let round = 0; round < 5; round++) times.push(await start(folder))
  folder.remove()
  return {
    name: 'start to ready with 100 keys',
    value: median(times) / 1000,
    unit: 's',
    reach: { atMost: 1.5 },
    details: times.map(time => `${Math.round(time)} ms`).join(', '),
  }
}

/** Milliseconds. */
async function start(folder: DataFolder): Promise<number> {
  const begun = performance.now()
  const script = join(import.meta.dirname, '../start')
  const args = ['--data', folder.path, '--port', String(await freePort())]
  const child = spawn(script, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const url = await announcedUrl(child)
  const { status } = await fetch(`${url}/readyz`)
  if (status !== 200) throw new Error('the gateway is not ready')
  const time = performance.now() - begun
  child.kill('SIGTERM')
  await once(child, 'exit')
  return time
}
