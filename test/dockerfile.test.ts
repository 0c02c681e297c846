/** The Dockerfile, as far as it can be tried without a container engine: its commands run here, on copies. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'strongroom-dockerfile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Instruction {
  readonly name: string
  readonly text: string
}

const instructions: readonly Instruction[] = readFileSync(join(root, 'Dockerfile'), 'utf8')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => ({ name: line.split(' ', 1)[0]!, text: line.slice(line.indexOf(' ') + 1) }))
const lastFrom = instructions.findLastIndex(({ name }) => name === 'FROM')
const build = instructions.slice(0, lastFrom)
const last = instructions.slice(lastFrom)

function textsOf(name: string, stage: readonly Instruction[]): string[] {
  return stage.filter(instruction => instruction.name === name).map(({ text }) => text)
}

/** Sources of the COPY instructions of the build stage. */
const sources = textsOf('COPY', build).flatMap(text => text.split(' ').slice(0, -1))

describe('the image', () => {
  it('is based on the Node.js version of the project', () => {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } }
    const major = /\d+/.exec(engines.node)![0]
    for (const text of textsOf('FROM', instructions))
      expect(text).toMatch(new RegExp(`^node:${major}-bookworm-slim\\b`))
  })

  it('is built without a compiler in its last stage', () => {
    const packages = textsOf('RUN', last).join(' ')
    expect(packages).toContain('softhsm2')
    expect(packages).not.toMatch(/g\+\+|gcc|clang|build-essential|make|python|npm/)
  })

  it('does not run as root', () => {
    expect(textsOf('USER', last)).toEqual(['node'])
  })

  it('is built from existing files that .dockerignore includes', () => {
    const admitted = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
    expect(admitted).toContain('*')
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true)
      expect(admitted).toContain(`!${source}`)
    }
  })
})

describe('what the image runs', () => {
  const app = join(folder, 'app')
  const data = join(folder, 'data')
  let running: ChildProcess | undefined
  afterAll(() => running?.kill('SIGKILL'))
  const environment = { PATH: `${dirname(process.execPath)}:${process.env.PATH}` }

  beforeAll(() => {
    const workshop = join(folder, 'build')
    mkdirSync(workshop)
    for (const source of sources) cpSync(join(root, source), join(workshop, source), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(workshop, 'node_modules'))
    const [command] = textsOf('RUN', build).at(-1)!.split(' && ')
    execFileSync('sh', ['-c', command!], {
      cwd: workshop,
      env: { ...process.env, ...environment, npm_config_loglevel: 'error' },
    })
    mkdirSync(app)
    cpSync(join(workshop, 'dist'), join(app, 'dist'), { recursive: true })
    cpSync(join(workshop, 'package.json'), join(app, 'package.json'))
    for (const path of productionPackages()) cpSync(join(root, path), join(app, path), { recursive: true })
  })

  it('needs nothing but dist and the production packages', () => {
    const { status, stdout } = spawnSync(process.execPath, ['dist/main.js', '--help'], { cwd: app })
    expect(status).toBe(0)
    expect(`${stdout}`).toContain('Usage: strongroom')
    const version = spawnSync(process.execPath, ['dist/main.js', '--version'], { cwd: app })
    const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(`${version.stdout}`).toBe(`${expected}\n`)
  })

  it('creates its data folder at the first start, listens on every address, is healthy, and stops on SIGTERM', async () => {
    const [shell, ...entry] = JSON.parse(textsOf('ENTRYPOINT', last)[0]!.replaceAll('/data', data)) as string[]
    const gateway = spawn(shell!, [...entry, '--port', '0'], { cwd: app, env: environment })
    running = gateway
    const ended = once(gateway, 'exit')
    const [line] = (await once(createInterface(gateway.stdout), 'line')) as [string]
    const { port, hostname } = new URL(line.split(' at ')[1]!)
    expect(hostname).toBe('0.0.0.0')
    expect(isHealthy(port)).toBe(true)

    const kms = new KMS({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials: administrator() })
    const { KeyMetadata } = await kms.createKey({})
    const { CiphertextBlob } = await kms.encrypt({ KeyId: KeyMetadata!.KeyId, Plaintext: Buffer.from('text') })
    const { Plaintext } = await kms.decrypt({ CiphertextBlob })
    expect(Buffer.from(Plaintext!).toString()).toBe('text')
    kms.destroy()

    gateway.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(isHealthy(port)).toBe(false)
  })

  function isHealthy(port: string): boolean {
    const check = textsOf('HEALTHCHECK', last)[0]!.split(' CMD ')[1]!.replace(':7700', `:${port}`)
    return spawnSync('sh', ['-c', check], { env: environment }).status === 0
  }

  function administrator() {
    const credentials = readFileSync(join(data, 'credentials'), 'utf8')
    const value = (name: string) => new RegExp(`^${name} = (.*)$`, 'm').exec(credentials)![1]!
    return { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') }
  }
})

/** What npm prune --omit=dev leaves: folders of packages, by the lock file. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path)
}
