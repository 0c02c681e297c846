import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { poolThreads } from '../../src/cli/serve.ts'
import { Preloaded } from '../preloaded/preloaded.ts'

/** Prints what ended first: look-ups of host names, or a write that was begun after them. */
const script = `
  const { lookup } = require('node:dns')
  const first = what => { console.log(what); process.exit() }
  for (let i = 0; i < 8; i++) lookup('idp.example.com', () => first('look-up'))
  require('node:fs').writeFile(process.argv[1], 'text', () => first('write'))
`

it('a name server that does not answer holds up no write of the journal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pool-threads-'))
  try {
    const names = new Preloaded('slow-names', folder)
    names.set(1000)
    const env = { ...process.env, ...names.environment, UV_THREADPOOL_SIZE: poolThreads }
    const ended = execFileSync(process.execPath, ['-e', script, join(folder, 'written')], { env, encoding: 'utf8' })
    expect(ended).toBe('write\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
