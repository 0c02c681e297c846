/** `init` that is killed, or runs concurrently: the next run completes it, and nothing is lost. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fingerprintOf, publicKeysIn } from '../../src/audit/checkpoint.ts'
import { program, strongroom } from '../end-to-end/gateway.ts'

let folder: string
const inFolder = (name: string) => join(folder, name)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-init-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const init = (...options: string[]) => strongroom(['init', '--data', folder, ...options])
const ready = () => ({
  code: 0,
  stderr: '',
  stdout: `Ready. The administrator's access key is in ${inFolder('credentials')}\n${pinned()}`,
})
/** What it says of the public key that verifies audit checkpoints. */
const pinned = () => {
  const file = inFolder('audit-key.pem')
  const [publicKey] = publicKeysIn(readFileSync(file, 'utf8'))
  return `Audit checkpoints are signed by the key in ${file} (SHA-256 ${fingerprintOf(publicKey!)}): keep a copy on another machine\n`
}

/** Kills an init as soon as a condition holds. Resolves to whether it was killed before it ended. */
async function killedWhen(isThere: () => boolean): Promise<boolean> {
  const child = spawn(process.execPath, [program(), 'init', '--data', folder], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  while (child.exitCode === null && !isThere()) await delay(1)
  child.kill('SIGKILL')
  const [, signal] = (await ended) as [number | null, string | null]
  return signal === 'SIGKILL'
}

const has = (name: string) => existsSync(inFolder(name))
/** Each is a folder; beside them is the lock. */
const tokens = () => readdirSync(inFolder('tokens')).filter(name => name !== 'strongroom.lock')
const sizeOf = (name: string) => statSync(inFolder(name), { throwIfNoEntry: false })?.size ?? 0

it('is completed by the next one, at whatever point it was killed', { timeout: 120_000 }, async () => {
  const points = [
    () => has('tokens'),
    () => has('pin'),
    () => has('softhsm2.conf'),
    () => has('strongroom.yaml'),
    () => has('strongroom.db'),
    () => sizeOf('strongroom.db') + sizeOf('strongroom.db-wal') > 0,
    () => has('so-pin'),
    () => tokens().length > 0,
    () => has('audit.jsonl'),
    () => has('credentials'),
  ]
  for (const isThere of points) expect(await killedWhen(isThere)).toBe(true)
  const pin = readFileSync(inFolder('pin'), 'utf8')
  const credentials = readFileSync(inFolder('credentials'), 'utf8')
  expect(await init()).toEqual(ready())
  // The secret that only the HSM can unseal is the one that was left in the file.
  expect(await init('--write-credentials')).toEqual(ready())
  expect(readFileSync(inFolder('credentials'), 'utf8')).toBe(credentials)
  expect(readFileSync(inFolder('pin'), 'utf8')).toBe(pin)
  expect(tokens()).toHaveLength(1)
})

it('lets one of several concurrent runs do the work, and the others report why they do not', async () => {
  const all = await Promise.all([init(), init(), init()])
  expect(all).toContainEqual(ready())
  for (const { code, stderr } of all.filter(({ code }) => code !== 0)) {
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `strongroom: storage ${inFolder('strongroom.db')} is in use by another Strongroom process: stop it first\n`,
    })
  }
  expect(tokens()).toHaveLength(1)
  expect(readFileSync(inFolder('credentials'), 'utf8').match(/aws_access_key_id/g)).toHaveLength(1)
})
