import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { freePort } from '../free-port.ts'
import { open } from '../server/raw-requests.ts'
import { DetachedGateway } from './detached-gateway.ts'
import { type Installation, install } from './gateway.ts'

/** The limit of open files is for more than connections. */

let installation: Installation
let gateway: DetachedGateway | undefined

beforeAll(async () => {
  installation = await install({ workers: 2 })
})
afterAll(async () => {
  await gateway?.stop('SIGKILL')
  installation?.remove()
})

it('with more connections than descriptors, a lost worker is replaced, calls are answered, and the gateway ends', async () => {
  const xksPort = await freePort()
  installation.configure(config => {
    config.xks = { listen: { port: xksPort } }
  })
  gateway = await DetachedGateway.start(installation, 'ulimit -n 200; exec "$@"')
  const sockets: Socket[] = []
  for (let count = 0; count < 300; count++) {
    const socket = await open(count % 3 === 0 ? `http://127.0.0.1:${xksPort}` : gateway.url).catch(() => undefined)
    if (!socket) continue
    // Every other one waits for a body that does not end.
    if (count % 2 === 0) socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n1')
    sockets.push(socket)
  }
  const metric = gateway.metric.bind(gateway)
  // Not at once: the kernel takes connections that the gateway has not accepted yet.
  const isFull = async () =>
    expect(await metric('strongroom_aborted_connections_total{reason="limit"}')).toBeGreaterThan(0)
  await vi.waitFor(isFull, { timeout: 20_000, interval: 50 })
  expect(await metric('strongroom_open_connections')).toBeLessThan(100)
  await gateway.loseWorker()
  expect(readdirSync(`/proc/${gateway.process.pid}/fd`).length).toBeLessThan(190)
  for (const socket of sockets) socket.destroy()
  expect(await gateway.stop()).toBe(0)
})
