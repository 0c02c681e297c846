import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileLock } from '../../../src/file-lock.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { softHsmLock } from '../../../src/hsm/token/process-lock.ts'
import { createSoftHsm } from '../softhsm.ts'

let folder: string
let configuration: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-lock-'))
  configuration = join(folder, 'softhsm2.conf')
  mkdirSync(join(folder, 'tokens'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('the lock of the processes that use a SoftHSM token', () => {
  it.each([
    ['directories.tokendir = FOLDER\n'],
    ['# directories.tokendir = /elsewhere\nlog.level = ERROR\n  directories.tokendir=FOLDER  # here\n'],
  ])('is a private file beside the tokens: %j', text => {
    writeFileSync(configuration, text.replace('FOLDER', join(folder, 'tokens')))
    const lock = softHsmLock(configuration)!
    const files = () => readdirSync(join(folder, 'tokens'))
    expect(lock.hold(() => lock.hold(files))).toEqual(['strongroom.lock'])
    expect(statSync(join(folder, 'tokens/strongroom.lock')).mode & 0o777).toBe(0o600)
  })

  it('is left to SoftHSM to complain about, if its configuration names no folder', () => {
    for (const text of ['log.level = ERROR\n', 'directories.tokendir = /nowhere\n']) {
      writeFileSync(configuration, text)
      expect(softHsmLock(configuration)).toBeUndefined()
    }
    expect(softHsmLock(join(folder, 'none'))).toBeUndefined()
  })

  it('is released after an error, and never waited for longer than a second', () => {
    writeFileSync(configuration, `directories.tokendir = ${join(folder, 'tokens')}\n`)
    const lock = softHsmLock(configuration)!
    expect(() =>
      lock.hold(() => {
        throw new Error('a return code')
      }),
    ).toThrow('a return code')
    const path = join(folder, 'tokens/strongroom.lock')
    const other = new FileLock(path)
    expect(other.acquire()).toBe(true)
    const problem = `cannot lock ${path}: other processes have had it for 1000 ms`
    const start = performance.now()
    expect(() => lock.hold(() => 'taken')).toThrow(
      expect.objectContaining({ code: 'KeyUnavailable', cause: expect.objectContaining({ message: problem }) }),
    )
    expect(performance.now() - start).toBeGreaterThan(990)
    other.release()
    expect(lock.hold(() => 'taken')).toBe('taken')
  })

  it('names itself, if a worker cannot start for it', async () => {
    const softHsm = await createSoftHsm()
    const other = new FileLock(join(softHsm.directory, 'strongroom.lock'))
    other.acquire()
    await expect(connectHsm({ ...softHsm.options, workers: 1 })).rejects.toThrow(
      `HSM test: cannot lock ${join(softHsm.directory, 'strongroom.lock')}: other processes have had it for 1000 ms`,
    )
    other.close()
    softHsm.remove()
  })
})
