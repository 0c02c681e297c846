import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { drill } from '../end-to-end/backup-drill.ts'
import { type Installation, install, recordsOf, serve, startCommand, strongroom } from '../end-to-end/gateway.ts'
import { ownPostgresql, type PostgresqlServer, type TestDatabase } from '../postgresql.ts'
import { fullStorage, linesOf } from '../storage/full-storage.ts'
import { engineOf } from '../storage/open.ts'

let server: PostgresqlServer & AsyncDisposable

beforeAll(async () => {
  server = await ownPostgresql()
})
afterAll(() => server?.[Symbol.asyncDispose]())

/** Writes a configuration with a new database. */
async function configureDatabase(
  { folder }: Installation,
  name: string,
  created?: Promise<TestDatabase>,
): Promise<string> {
  const { database, host, port, user, password } = await (created ?? server.createDatabase())
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

describe('a copy that is killed', () => {
  it.each(['SQLite', 'PostgreSQL'])('is complete in %s, or not there, and can be made again', async engine => {
    const installation = await install()
    const [from, source] = [join(installation.folder, 'from.yaml'), join(installation.folder, 'full.db')]
    await fullStorage(source)
    const lines = await linesOf(sqlite(source))
    const config = parse(readFileSync(join(installation.folder, 'strongroom.yaml'), 'utf8')) as object
    const configure = (to: string, file: string) => {
      writeFileSync(to, stringify({ ...config, storage: { file } }), { mode: 0o600 })
      return to
    }
    configure(from, source)
    for (let attempt = 0; attempt < 12; attempt++) {
      const target = join(installation.folder, `target-${attempt}.db`)
      const database = engine === 'SQLite' ? undefined : server.createDatabase()
      const to = database
        ? await configureDatabase(installation, 'to.yaml', database)
        : configure(join(installation.folder, 'to.yaml'), target)
      const args = ['storage', 'copy', '--from', from, '--to', to]
      const { child, ended } = startCommand(args)
      await sleep(300 + attempt * 250)
      child.kill('SIGKILL')
      await ended
      const again = await strongroom(args)
      const isComplete = again.stderr.includes('is not empty')
      if (!isComplete) expect(again).toMatchObject({ code: 0, stderr: '' })
      expect(await linesOf(database ? engineOf(await database, {}, false) : sqlite(target))).toEqual(lines)
    }
    installation.remove()
  })
})
