import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lockFile } from '../../../src/storage/engines/lock-file.ts'

describe('lockFile', () => {
  let folder: string
  const path = () => join(folder, 'audit-lock.db')
  const inUse = 'journal is in use by another Strongroom process: stop it first'

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lock-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('refuses a file that this process has locked, until it is released', () => {
    {
      using _ = lockFile(path(), 'journal')
      expect(() => lockFile(path(), 'journal')).toThrow(inUse)
    }
    lockFile(path(), 'journal')[Symbol.dispose]()
    expect(statSync(path())).toMatchObject({ size: 0, mode: 0o100600 })
  })

  it('refuses a file that another process has locked, until that is killed', async () => {
    const module = new URL('../../../src/storage/engines/lock-file.ts', import.meta.url)
    const code = `import { lockFile } from '${module}'
      globalThis.lock = lockFile(process.argv[1], 'journal')
      console.log('locked')
      setInterval(() => {}, 1000)`
    const other = spawn(process.execPath, ['--input-type=module', '-e', code, path()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(other.stdout, 'data')
    expect(() => lockFile(path(), 'journal')).toThrow(inUse)
    other.kill('SIGKILL')
    await once(other, 'exit')
    lockFile(path(), 'journal')[Symbol.dispose]()
  })

  it('says why a file cannot be locked', () => {
    expect(() => lockFile(join(folder, 'none', 'lock.db'), 'journal')).toThrow(
      'journal cannot be opened: check that its folder exists and is writable',
    )
  })
})
