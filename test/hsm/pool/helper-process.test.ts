import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { cases } from '../../thorough.ts'
import { logTo } from '../log-to.ts'
import { createSoftHsm, type SoftHsm, softHsmLibrary } from '../softhsm.ts'

/** A library that starts processes of its own, as the clients of some network HSMs and p11-kit do: they inherit the worker's descriptors. */

let softHsm: SoftHsm
let library: string
let helperLives: string

beforeAll(async () => {
  softHsm = await createSoftHsm()
  library = join(softHsm.directory, 'helper-process.so')
  helperLives = join(softHsm.directory, 'helper-lives')
  const source = join(import.meta.dirname, 'helper-process.c')
  execFileSync(process.env.CC ?? 'cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'])
  writeFileSync(helperLives, '')
})
afterAll(() => {
  rmSync(helperLives)
  softHsm.remove()
})

describe.each(cases([1, 2]))(
  'with %i workers, one that dies while a helper process of its library survives',
  workers => {
    it('is replaced, and the HSM can be closed', async () => {
      const pids: unknown[] = []
      const environment = {
        ...softHsm.options.environment,
        HELPER_MODULE: softHsmLibrary,
        HELPER_LIVES_WITH: helperLives,
      }
      const log = logTo(({ event, worker }) => {
        if (event === 'worker_ready') pids.push(worker)
      })
      const hsm = await connectHsm({ ...softHsm.options, library, environment, workers, callTimeout: 10_000, log })
      const object = newMaterial()
      await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'of a library with a helper')
      process.kill(pids[0] as number, 'SIGKILL')
      await hsm.encrypt(object, Buffer.from('text'), Buffer.alloc(0))
      await vi.waitUntil(() => pids.length === 2, { timeout: 10_000 })
      await hsm.close()
      await expect(hsm.random(1)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    })
  },
)
