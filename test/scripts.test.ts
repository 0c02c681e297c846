/** scripts/start and what it installs, without installing anything: packages and npm are stand-ins. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { shellQuoted } from '../src/shell-quoted.ts'

const root = join(import.meta.dirname, '..')

let folder: string
/** A copy of the project with everything installed. */
let project: string
/** The only folder of the PATH. */
let bin: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-scripts-'))
  project = join(folder, "ein schönes 'Projekt' für $HOME")
  bin = join(folder, 'bin')
  for (const path of [bin, join(project, 'scripts'), join(project, 'node_modules')])
    mkdirSync(path, { recursive: true })
  for (const name of ['start', 'prepare.sh']) copyFileSync(join(root, 'scripts', name), join(project, 'scripts', name))
  for (const name of ['src', 'package.json', 'package-lock.json']) symlinkSync(join(root, name), join(project, name))
  symlinkSync(join(root, 'node_modules/.bin'), join(project, 'node_modules/.bin'))
  copyFileSync(join(root, 'package-lock.json'), join(project, 'node_modules/.strongroom-installed'))
  for (const name of ['sh', 'cat', 'cmp', 'cp', 'dirname', 'find', 'head', 'readlink'])
    standIn(name, `exec ${which(name)} "$@"`)
  for (const name of ['softhsm2-util', 'g++', 'make', 'python3']) standIn(name, '')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function which(name: string): string {
  return `${spawnSync('sh', ['-c', `command -v ${name}`]).stdout}`.trim()
}

function standIn(name: string, code: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${code}\n`)
  chmodSync(join(bin, name), 0o755)
}

function start(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(join(project, 'scripts/start'), args, {
    cwd: folder,
    env: { PATH: bin },
  })
  return { status, output: `${stdout}${stderr}` }
}

describe('scripts/start', () => {
  it('serves from whichever folder it is called, with a data folder relative to that one, until Ctrl-C', async () => {
    const data = '-Dáten "von" $(uns)/'
    const gateway = spawn(join(project, 'scripts/start'), ['--data', data, '--port=0'], {
      cwd: folder,
      env: { PATH: bin },
    })
    const ended = once(gateway, 'exit')
    let text = ''
    for await (const line of createInterface(gateway.stdout)) {
      text += `${line}\n`
      if (line.includes('create-key')) break
    }
    const [exported, url] = /export AWS_ENDPOINT_URL_KMS=(\S+) .*/.exec(text)!
    const { stdout } = spawnSync('sh', ['-c', `${exported}; cat "$AWS_SHARED_CREDENTIALS_FILE"`])
    expect(`${stdout}`).toBe(readFileSync(join(folder, data, 'credentials'), 'utf8'))
    expect((await fetch(`${url}/readyz`)).status).toBe(200)

    const second = start('--emulator', '--data', join(folder, data), '--port', '0')
    expect(second.status).toBe(1)
    expect(second.output).toBe(
      `strongroom: storage ${folder}/${data}strongroom.db is in use by another Strongroom process: stop it first\n`,
    )

    gateway.kill('SIGINT')
    expect(await ended).toEqual([0, null])
  })

  it('prints the command to run if packages are missing and it cannot install them', () => {
    standIn('id', 'echo 1000')
    standIn('apt-get', 'echo must not be called')
    rmSync(join(bin, 'softhsm2-util'))
    rmSync(join(bin, 'make'))
    expect(start()).toEqual({
      status: 1,
      output:
        'Missing: softhsm2 make. On Debian, run this as root, then try again:\n' +
        '  apt-get update && apt-get install -y --no-install-recommends softhsm2 make\n',
    })
    standIn('sudo', 'echo must not be called')
    expect(start().output).toBe(
      'Missing: softhsm2 make. On Debian, run this, then try again:\n' +
        '  sudo apt-get update && sudo apt-get install -y --no-install-recommends softhsm2 make\n',
    )
  })

  it('installs missing packages if it can', () => {
    standIn('id', 'echo 0')
    standIn('apt-get', `echo "$@" >> ${folder}/apt`)
    rmSync(join(bin, 'softhsm2-util'))
    start('--account', '1')
    expect(readFileSync(join(folder, 'apt'), 'utf8')).toBe('update\ninstall -y --no-install-recommends softhsm2\n')
  })

  it('says which Node.js it needs', () => {
    rmSync(join(project, 'node_modules/.strongroom-installed'))
    expect(start()).toEqual({ status: 1, output: 'Node.js 20 or newer, with npm, is needed: see https://nodejs.org\n' })
    standIn('npm', 'echo must not be called')
    standIn('node', `exec ${shellQuoted(process.execPath)} -e "process.exitCode = 1"`)
    expect(start().output).toMatch(/^Node\.js 20 or newer/)
  })

  it.each(['', 'node_modules'])('reports who must run it if packages are missing and ./%s is read-only', place => {
    if (place === '') rmSync(join(project, 'node_modules'), { recursive: true })
    else rmSync(join(project, 'node_modules/.strongroom-installed'))
    for (const name of ['node', 'npm']) standIn(name, '')
    for (const path of [project, join(project, place)]) chmodSync(path, 0o555)
    chmodSync(folder, 0o755)
    // Root may write anywhere.
    const nobody = process.getuid!() === 0 ? { uid: 65534, gid: 65534 } : {}
    const { status, stderr } = spawnSync(join(project, 'scripts/start'), { env: { PATH: bin }, ...nobody })
    for (const path of [project, join(project, place)]) chmodSync(path, 0o755)
    expect({ status, stderr: `${stderr}` }).toEqual({
      status: 1,
      stderr: `Cannot install npm packages: no permission to write to ${join(project, place)}. Ask its owner to run ./scripts/start once.\n`,
    })
  })

  it('installs again after an incomplete installation', () => {
    rmSync(join(project, 'node_modules/.strongroom-installed'))
    standIn('node', `exec ${shellQuoted(process.execPath)} "$@"`)
    standIn('npm', `echo "$@" >> ${folder}/npm; [ "$1" != rebuild ]`)
    expect(start().status).not.toBe(0)
    expect(start().status).not.toBe(0)
    const ci = 'ci --ignore-scripts --loglevel=error\n'
    const rebuild = 'rebuild --ignore-scripts=false --loglevel=error node\n'
    expect(readFileSync(join(folder, 'npm'), 'utf8')).toBe(ci + rebuild + ci + rebuild)
  })

  it.skipIf(spawnSync('sh', ['-c', 'command -v g++ make python3']).status !== 0)(
    'builds the addon although make cannot handle the path of the project',
    { timeout: 120_000 },
    () => {
      const modules = join(project, 'node_modules')
      rmSync(join(modules, '.strongroom-installed'))
      const isBuilt = (path: string) => path.endsWith('pkcs11js/build')
      cpSync(join(root, 'node_modules/pkcs11js'), join(modules, 'pkcs11js'), {
        recursive: true,
        filter: path => !isBuilt(path),
      })
      const [headers] = globSync('node_modules/node/node_modules/*/include', { cwd: root })
      cpSync(join(root, headers!), join(modules, 'node/include'), { recursive: true })
      // Nothing is downloaded: the real npm only builds.
      standIn('npm', `case "$*" in *' pkcs11js') exec ${shellQuoted(which('npm'))} "$@" ;; esac`)
      for (const name of ['softhsm2-util', 'g++', 'make', 'python3']) rmSync(join(bin, name))
      const { status, stderr } = spawnSync(join(project, 'scripts/start'), ['--account', '1'], {
        env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
      })
      expect({ status, stderr: `${stderr}` }).toMatchObject({ status: 2, stderr: expect.stringContaining('12 digits') })
      expect(statSync(join(modules, 'pkcs11js/build/Release/pkcs11.node')).size).toBeGreaterThan(0)
    },
  )

  it('refuses mistakes before it installs anything', () => {
    rmSync(join(bin, 'make'))
    for (const args of [['--port', 'x'], ['--account', 'x'], ['--data'], ['--nonsense'], ['nonsense']]) {
      const { status, output } = start(...args)
      expect(status).toBe(2)
      expect(output).toMatch(/^start: [^\n]*; see --help\n$/)
    }
  })
})
