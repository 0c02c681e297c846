import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { announcedUrl } from './gateway.ts'

/** Length of the answer to an Encrypt of 32 bytes. */
const answerLength = 330

/** The reference of HTTP benchmarks: a bare Fastify in a separate process. */
export async function startEcho() {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'echo-server.ts'), String(answerLength)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return {
    url: await announcedUrl(child),
    pid: child.pid!,
    async stop() {
      child.kill()
      await once(child, 'exit')
    },
  }
}
