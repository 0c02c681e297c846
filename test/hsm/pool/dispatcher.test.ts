import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { TimedOut } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { logTo } from '../log-to.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

const text = Buffer.from('text')
const aad = Buffer.from('aad')

/** Follows the workers of an HSM by what it logs. */
class Workers {
  readonly started: number[] = []
  readonly lost: number[] = []
  #changed = Promise.withResolvers<void>()

  readonly log = logTo(({ event, worker }) => {
    if (event === 'worker_ready') this.started.push(worker as number)
    if (event === 'worker_lost') this.lost.push(worker as number)
    this.#changed.resolve()
  })

  /** Waits for the nth worker that became ready. */
  async ready(count: number): Promise<void> {
    while (this.started.length < count) {
      await this.#changed.promise
      this.#changed = Promise.withResolvers()
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    // An orphan that was not reaped yet is a zombie.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('workers', () => {
  const object = newMaterial()
  let softHsm: SoftHsm
  let workers: Workers
  let hsm: Hsm

  async function connect(options: Partial<HsmOptions> = {}): Promise<void> {
    workers = new Workers()
    hsm = await connectHsm({ ...softHsm.options, log: workers.log, ...options })
  }

  beforeAll(async () => {
    softHsm = await createSoftHsm()
    await connect({ workers: 1 })
    await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'used by all tests')
    await hsm.close()
  })
  afterEach(async () => {
    await hsm.close()
    expect(workers.started.filter(isAlive)).toEqual([])
  })
  afterAll(() => softHsm.remove())

  it('do not interfere while keys are created and destroyed', async () => {
    await connect()
    const listings = Array.from({ length: 20 }, () => hsm.objects())
    const callers = Array.from({ length: 3 }, async () => {
      for (let round = 0; round < 20; round++) {
        const created = newMaterial()
        await hsm.generateKey(created, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'short-lived')
        await Promise.all([1, 2, 3, 4].map(() => hsm.encrypt(created, Buffer.alloc(32), Buffer.alloc(8))))
        await hsm.destroyKey(created)
      }
    })
    await Promise.all([...listings, ...callers])
  })

  it('that are killed under load cause no error, and are replaced', async () => {
    await connect({ callTimeout: 20_000 })
    let calls = 0
    const victims = new Map([
      [1000, 0],
      [3000, 1],
    ])
    const caller = async () => {
      while (calls < 5000) {
        const victim = victims.get(++calls)
        if (victim !== undefined) process.kill(workers.started[victim]!, 'SIGKILL')
        const own = Buffer.from(`text ${calls}`)
        const sealed = await hsm.encrypt(object, own, aad)
        expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(own)
      }
    }
    await Promise.all(Array.from({ length: 32 }, caller))
    await workers.ready(3)
    expect(workers.lost).toEqual(workers.started.slice(0, 2))
    expect(hsm.pending).toBe(0)
    await hsm.encrypt(object, text, aad)
  })

  it('leave their repeatable calls to others', async () => {
    await connect({ callTimeout: 20_000 })
    const [first] = workers.started as [number]
    process.kill(first, 'SIGSTOP')
    const calls = Array.from({ length: 10 }, () => hsm.encrypt(object, text, aad))
    process.kill(first, 'SIGKILL')
    expect(await Promise.all(calls)).toHaveLength(10)
    expect(workers.lost).toEqual([first])
  })

  it('create and destroy a key although the first worker dies', async () => {
    await connect({ workers: 1, callTimeout: 20_000 })
    const created = newMaterial()
    const changes = [
      () => hsm.generateKey(created, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'made by the second'),
      () => hsm.destroyKey(created),
    ]
    const found: number[] = []
    for (const [round, change] of changes.entries()) {
      await workers.ready(round + 1)
      const worker = workers.started[round]!
      process.kill(worker, 'SIGSTOP')
      const changed = change()
      await new Promise(setImmediate)
      process.kill(worker, 'SIGKILL')
      await changed
      found.push((await hsm.objects()).filter(({ id }) => id === created).length)
    }
    expect(found).toEqual([1, 0])
  })

  it('that are too slow for a caller with a deadline are not lost', async () => {
    await connect({ workers: 1, callTimeout: 20_000 })
    const [only] = workers.started as [number]
    process.kill(only, 'SIGSTOP')
    const late = hsm.for('caller', performance.now() + 200).encrypt(object, text, aad)
    await expect(late).rejects.toBeInstanceOf(TimedOut)
    process.kill(only, 'SIGCONT')
    await hsm.encrypt(object, text, aad)
    expect(workers.lost).toEqual([])
    const passed = hsm.for('caller', performance.now() - 1).encrypt(object, text, aad)
    await expect(passed).rejects.toMatchObject({ code: 'Throttling' })
  })

  it('that exceed a time-out are killed and replaced', async () => {
    const observed: string[] = []
    await connect({ workers: 1, callTimeout: 1000, observe: ({ returnCode }) => observed.push(returnCode) })
    const [only] = workers.started as [number]
    process.kill(only, 'SIGSTOP')
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(observed).toEqual(['timeout'])
    await workers.ready(2)
    await hsm.encrypt(object, text, aad)
    expect(workers.lost).toEqual([only])
  })

  it('are waited for while they are being replaced', async () => {
    await connect({ workers: 1, callTimeout: 20_000 })
    process.kill(workers.started[0]!, 'SIGKILL')
    await vi.waitUntil(() => workers.lost.length === 1)
    await hsm.encrypt(object, text, aad)
    expect(workers.started).toHaveLength(2)
  })

  it('finish calls in flight when the HSM is closed, and accept no more', async () => {
    await connect()
    const calls = Array.from({ length: 100 }, () => hsm.encrypt(object, text, aad))
    const closed = hsm.close()
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(await Promise.all(calls)).toHaveLength(100)
    await closed
    expect(workers.started.filter(isAlive)).toEqual([])
  })

  it('are ended by a close while one is being replaced', async () => {
    await connect({ workers: 1 })
    process.kill(workers.started[0]!, 'SIGKILL')
    await vi.waitUntil(() => workers.lost.length === 1)
    const waiting = hsm.encrypt(object, text, aad)
    const refused = expect(waiting).rejects.toMatchObject({ code: 'KeyUnavailable' })
    await hsm.close()
    await refused
  })

  it('survive a signal to the whole process group', async () => {
    await connect({ workers: 1 })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(workers.started[0]!, signal)
    await hsm.encrypt(object, text, aad)
    expect(workers.lost).toEqual([])
  })

  it('get only the configured environment, and dump no core', async () => {
    vi.stubEnv('STRONGROOM_ADMIN_SECRET_ACCESS_KEY', 'not for the workers')
    await connect({ workers: 1 })
    vi.unstubAllEnvs()
    const process = `/proc/${workers.started[0]}`
    const names = readFileSync(`${process}/environ`, 'utf8')
      .split('\0')
      .map(line => line.split('=')[0])
    // The shell sets PWD, and a gateway that keeps compiled code says where.
    const own = new Set(['', 'PWD', 'NODE_COMPILE_CACHE'])
    expect(names.filter(name => !own.has(name!))).toEqual(['SOFTHSM2_CONF'])
    expect(readFileSync(`${process}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m)
  })

  describe('of a gateway in a process of its own', () => {
    let gateway: ChildProcess
    let said: { workers: number[]; children: number[]; maps: string }

    beforeAll(async () => {
      const argument = JSON.stringify(softHsm.options)
      gateway = spawn(process.execPath, [join(import.meta.dirname, 'gateway.ts'), argument], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [line] = (await once(createInterface(gateway.stdout!), 'line')) as [string]
      said = JSON.parse(line)
    })

    it('are the only processes that load native PKCS#11 code', () => {
      const native = /softhsm|pkcs11\.node/
      expect(said.maps).not.toMatch(native)
      expect(said.workers).toHaveLength(1)
      for (const pid of said.workers) expect(readFileSync(`/proc/${pid}/maps`, 'utf8')).toMatch(native)
    })

    it('are one with the token open, and a spare without the library loaded', () => {
      expect(said.children).toHaveLength(2)
      const [spare] = said.children.filter(pid => !said.workers.includes(pid))
      expect(readFileSync(`/proc/${spare}/maps`, 'utf8')).not.toMatch(/softhsm/)
    })

    it('end when the gateway is killed', async () => {
      expect(said.children.filter(isAlive)).toHaveLength(2)
      gateway.kill('SIGKILL')
      await vi.waitUntil(() => !said.children.some(isAlive), { timeout: 4000 })
    })
  })
})
