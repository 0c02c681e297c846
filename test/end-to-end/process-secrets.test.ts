/** What the processes of a running gateway leave for others to find: no core files, no secrets in their environments. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { shellQuoted } from '../../src/shell-quoted.ts'
import type { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { installFaults } from './fault-injection.ts'
import { type Installation, install, program } from './gateway.ts'

const root = join(import.meta.dirname, '../..')
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
const secret = 'a-secret-of-the-environment'
const environment = {
  ...process.env,
  STRONGROOM_ADMIN_ACCESS_KEY_ID: 'AKIA111122223333TEST',
  STRONGROOM_ADMIN_SECRET_ACCESS_KEY: secret,
}

/** 1, not 0: then no core goes to a program that core_pattern names either. Whoever has been forbidden more cannot raise it. */
const coreLimit = execFileSync('sh', ['-c', 'ulimit -H -c'], { encoding: 'utf8' }) === '0\n' ? 0 : 1

let installation: Installation
let faults: FaultHsm
let running: ChildProcess | undefined
beforeAll(async () => {
  installation = await install({ workers: 2 })
  faults = installFaults(installation)
  return () => installation.remove()
})
afterEach(() => {
  running?.kill('SIGKILL')
})

/** Starts it where cores are allowed, in the data folder, where they would be written. Resolves once it serves. */
async function start(...command: readonly string[]): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', 'ulimit -c $(ulimit -H -c); exec "$@"', 'sh', ...command], {
    cwd: installation.folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  running = child
  for await (const line of createInterface(child.stdout)) if (line.includes(' at http')) return child
  throw new Error('it did not start')
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return list.trim().split(' ').map(Number)
}

const data = () => ['--data', installation.folder, '--port', '0']
const entryPoint = () => {
  const [shell, ...entry] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)![1]!) as string[]
  const here = (word: string) =>
    word.replaceAll('/data', shellQuoted(installation.folder)).replaceAll('dist/main.js', shellQuoted(program()))
  return [shell!, ...entry.map(here), '--port', '0']
}

it.skipIf(process.platform !== 'linux').each<readonly [string, () => readonly string[]]>([
  ['scripts/start', () => [join(root, 'scripts/start'), ...data()]],
  ['strongroom serve', () => [process.execPath, program(), 'serve', ...data()]],
  ['the entry point of the image', entryPoint],
])('%s', async (_name, command) => {
  const gateway = await start(...command())
  const pids = [gateway.pid!, ...childrenOf(gateway.pid!)]
  expect(pids).toHaveLength(3)
  for (const pid of pids) {
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(
      new RegExp(`^Max core file size +${coreLimit} +${coreLimit} `, 'm'),
    )
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8')
    expect(variables).not.toContain('STRONGROOM_ADMIN')
    expect(variables).not.toContain(secret)
  }
  const ended = once(gateway, 'exit')
  for (const pid of pids.reverse()) process.kill(pid, 'SIGABRT')
  expect(await ended).toEqual([null, 'SIGABRT'])
  expect(readdirSync(installation.folder).filter(name => name.startsWith('core'))).toEqual([])
})

it.skipIf(process.platform !== 'linux').each([
  ['init', ['--account', '444455556666']],
  ['doctor', []],
])('strongroom %s', async (name, options) => {
  // RSA keys take seconds to generate.
  faults.set('remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN')
  const main = program()
  const command = [process.execPath, main, name, '--data', installation.folder, ...options]
  const parent = spawn('sh', ['-c', 'ulimit -c $(ulimit -H -c); exec "$@"', 'sh', ...command], { stdio: 'ignore' })
  const limits = new Set<string>()
  while (parent.exitCode === null && parent.signalCode === null) {
    for (const limit of coreLimitsOfHsmProcesses(parent.pid!)) limits.add(limit)
    await delay(10)
  }
  expect(parent.exitCode).toBe(0)
  expect([...limits]).toEqual([`${coreLimit} ${coreLimit}`])
})

/** Soft and hard, of the children that know the PIN. */
function coreLimitsOfHsmProcesses(parent: number): string[] {
  try {
    const pids = childrenOf(parent).filter(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/hsm/'))
    return pids.map(pid =>
      /^Max core file size +(\S+ +\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))![1]!.replace(/ +/, ' '),
    )
  } catch {
    // One of them has just ended.
    return []
  }
}
