import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
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
    ['directories.tokendir = /nowhere\ndirectories.tokendir = FOLDER\n'],
  ])('is a private file beside the tokens: %j', text => {
    writeFileSync(configuration, text.replace('FOLDER', join(folder, 'tokens')))
    const lock = softHsmLock(configuration)!
    const files = () => readdirSync(join(folder, 'tokens'))
    expect(lock.hold(() => lock.hold(files))).toEqual(['strongroom.lock'])
    expect(statSync(join(folder, 'tokens/strongroom.lock')).mode & 0o777).toBe(0o600)
  })

  it('is left to SoftHSM to complain about, if its configuration names no folder', () => {
    writeFileSync(configuration, 'directories.tokendir = /nowhere\n')
    expect(softHsmLock(configuration)).toBeUndefined()
    expect(softHsmLock(join(folder, 'none'))).toBeUndefined()
  })

  it('is found without SOFTHSM2_CONF, as SoftHSM finds its configuration', () => {
    const [home, own] = [join(folder, 'home'), join(folder, 'own')]
    for (const created of [join(home, '.config/softhsm2'), own]) mkdirSync(created, { recursive: true })
    writeFileSync(join(home, '.config/softhsm2/softhsm2.conf'), `directories.tokendir = ${own}\n`)
    vi.stubEnv('HOME', home)
    const lock = softHsmLock()!
    vi.unstubAllEnvs()
    expect(lock.hold(() => readdirSync(own))).toEqual(['strongroom.lock'])
  })

  it.runIf(process.getuid?.() === 0)('belongs to the owner of the tokens, even if root was first', () => {
    const tokens = join(folder, 'of-somebody')
    mkdirSync(tokens)
    chownSync(tokens, 65_534, 65_533)
    writeFileSync(configuration, `directories.tokendir = ${tokens}\n`)
    softHsmLock(configuration)
    const { uid, gid, mode } = statSync(join(tokens, 'strongroom.lock'))
    expect([uid, gid, mode & 0o777]).toEqual([65_534, 65_533, 0o600])
  })

  it('names its file, if that cannot be opened', () => {
    const path = join(folder, 'taken/strongroom.lock')
    mkdirSync(path, { recursive: true })
    writeFileSync(configuration, `directories.tokendir = ${join(folder, 'taken')}\n`)
    const message = `cannot lock ${path}: unable to open database file`
    expect(() => softHsmLock(configuration)).toThrow(
      expect.objectContaining({ code: 'KeyUnavailable', cause: expect.objectContaining({ message }) }),
    )
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
    const path = join(softHsm.directory, 'strongroom.lock')
    rmSync(path)
    mkdirSync(path)
    await expect(connectHsm({ ...softHsm.options, workers: 1 })).rejects.toThrow(
      `HSM test: cannot lock ${path}: unable to open database file`,
    )
    softHsm.remove()
  })
})
