import { execFileSync } from 'node:child_process'
import { constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { cases } from '../thorough.ts'
import { DetachedGateway } from './detached-gateway.ts'
import { type Installation, install } from './gateway.ts'

/** Standard error and standard output are side channels: whatever happens to them, calls are answered. */

const dropped = 'strongroom_dropped_log_lines_total'
let installation: Installation
let gateway: DetachedGateway | undefined

beforeAll(async () => {
  installation = await install({ workers: 2 })
})
afterEach(() => gateway?.stop('SIGKILL'))
afterAll(() => installation?.remove())

/** A pipe that is full, and the end of it for the gateway, which waits when it writes. */
function fullPipe(): number {
  const path = join(installation.folder, `pipe-${process.hrtime.bigint()}`)
  execFileSync('mkfifo', [path])
  const filler = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096))
  } catch {
    return openSync(path, constants.O_WRONLY)
  }
}

describe('calls are answered, a lost worker is replaced, and SIGTERM ends the gateway', () => {
  it.each(
    cases([
      ['when the disk of standard error is full', 'exec "$@" 2>/dev/full', 2],
      ['when that of standard output is full, too', 'exec "$@" >/dev/full 2>/dev/full', 2],
      ['when both are closed', 'exec "$@" >&- 2>&-', -1],
    ]),
  )('%s', async (_, command, lines) => {
    gateway = await DetachedGateway.start(installation, command)
    await gateway.loseWorker()
    expect(await gateway.metric(dropped)).toBeGreaterThan(lines)
    expect(await gateway.stop()).toBe(0)
  })

  it('when the reader of both has exited', async () => {
    gateway = await DetachedGateway.start(installation, 'exec "$@"', ['ignore', 'pipe', 'pipe'])
    gateway.process.stdout!.destroy()
    gateway.process.stderr!.destroy()
    await gateway.loseWorker()
    expect(await gateway.metric(dropped)).toBeGreaterThan(0)
    expect(await gateway.stop()).toBe(0)
  })

  it('when both are pipes that are not read', async () => {
    const pipe = fullPipe()
    gateway = await DetachedGateway.start(installation, 'exec "$@"', ['ignore', pipe, pipe])
    await gateway.loseWorker()
    expect(await gateway.stop()).toBe(0)
  })
})
