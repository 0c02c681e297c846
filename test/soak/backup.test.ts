import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { parse, stringify } from 'yaml'
import { drill } from '../end-to-end/backup-drill.ts'
import { type Installation, recordsOf, serve, strongroom } from '../end-to-end/gateway.ts'
import { ownPostgresql, type PostgresqlServer } from '../postgresql.ts'

let server: PostgresqlServer & AsyncDisposable

beforeAll(async () => {
  server = await ownPostgresql()
})
afterAll(() => server?.[Symbol.asyncDispose]())

/** Writes a configuration with a new database. */
async function configureDatabase({ folder }: Installation, name: string): Promise<string> {
  const { database, host, port, user, password } = await server.createDatabase()
  const passwordFile = join(folder, 'database-password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  const config = parse(readFileSync(join(folder, 'strongroom.yaml'), 'utf8')) as object
  const postgres = { host, port, database, user, passwordFile }
  const file = join(folder, name)
  writeFileSync(file, stringify({ ...config, storage: { postgres } }), { mode: 0o600 })
  return file
}

drill('PostgreSQL', {
  async prepare(installation) {
    const before = await serve(installation)
    await before.client().createKey({})
    await before.stop()
    const [from, to] = [
      join(installation.folder, 'strongroom.yaml'),
      await configureDatabase(installation, 'postgresql.yaml'),
    ]
    const copied = await strongroom(['storage', 'copy', '--from', from, '--to', to])
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    expect((await strongroom(['storage', 'copy', '--from', from, '--to', to])).stderr).toContain('is not empty')
    writeFileSync(from, readFileSync(to))
    const after = await serve(installation)
    expect((await after.client().listKeys({})).Keys).toHaveLength(1)
    expect(after.complaints()).toEqual([])
    await after.stop()
    const names = recordsOf(installation).map(({ eventName }) => eventName)
    expect(names.filter(name => name === 'StartGateway')).toHaveLength(2)
  },
  async lose(installation) {
    await configureDatabase(installation, 'strongroom.yaml')
  },
})
