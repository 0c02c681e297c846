import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { CompiledQuery, type Driver, Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { OperatorError } from '../../../src/errors.ts'
import { type SqliteEngine, sqlite } from '../../../src/storage/engines/sqlite.ts'
import { Changes, type Storage } from '../../../src/storage/storage.ts'
import { storageContract } from '../../contracts/storage.ts'
import { runs, thorough } from '../../thorough.ts'
import { expectOnly, putKeys, query } from '../database-files.ts'
import { openFile, openHere } from '../open.ts'
import { account, aKey, aMaterial, region } from '../records.ts'
import { canMount, onSmallDisk } from '../small-disk.ts'

function inDirectory(open: (path: string) => Promise<Storage>) {
  const directory = mkdtempSync(join(tmpdir(), 'storage-'))
  return {
    open: () => open(join(directory, 'storage.db')),
    dispose: () => rmSync(directory, { recursive: true }),
  }
}

const create = { create: true }

storageContract('a SQLite file', true, () => inDirectory(path => openHere(sqlite(path, create))), runs(25))

if (thorough)
  storageContract('SQLite in memory', false, () => ({
    open: () => openHere(sqlite(':memory:', { create: true })),
    dispose: () => {},
  }))

describe('a SQLite file', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sqlite-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it('is private, and one file alone once it is closed', async () => {
    const inside = join(directory, 'private')
    mkdirSync(inside)
    const storage = await openFile(join(inside, 'storage.db'), { create: true })
    await putKeys(storage, 1)
    expect(readdirSync(inside)).toEqual(['storage.db', 'storage.db-wal'])
    for (const name of readdirSync(inside)) expect(statSync(join(inside, name)).mode & 0o777).toBe(0o600)
    await storage.close()
    expect(readdirSync(inside)).toEqual(['storage.db'])
  })

  it('is written through to the disk at each commit, locked, and checks references', async () => {
    const db = new Kysely<unknown>({ dialect: sqlite(join(directory, 'pragmas.db'), { create: true }).dialect })
    const pragma = async (name: string) =>
      Object.values((await sql`pragma ${sql.raw(name)}`.execute(db)).rows[0] as object)[0]
    expect(await pragma('journal_mode')).toBe('wal')
    expect(await pragma('synchronous')).toBe(2)
    expect(await pragma('locking_mode')).toBe('exclusive')
    expect(await pragma('foreign_keys')).toBe(1)
    await db.destroy()
  })

  it('does not grow with the number of commits and of write checks', async () => {
    const path = join(directory, 'same-size.db')
    const sizes: number[] = []
    for (let round = 0; round < (thorough ? 6 : 3); round++) {
      const storage = await openFile(path, { create: true })
      if (round === 0) await putKeys(storage, 1)
      for (let number = 100; number < 200; number++) {
        const changes = new Changes()
        changes.put('keys', { ...storage.keys.find(aKey(1).arn)!, description: `${number}` })
        const eventId = `event-${round}-${number}`
        await storage.commit(changes, { eventId, position: '', record: '{}' })
        await storage.outbox.remove([eventId], '1', { end: '1', earliest: '1' })
        await storage.check()
      }
      await storage.close()
      sizes.push(statSync(path).size)
    }
    // From when on the log has as many commits as it keeps.
    const full = sizes.slice(1)
    expect(new Set(full).size).toBe(1)
  })

  it('keeps every acknowledged commit and no partial one, whenever the process is killed', async () => {
    const path = join(directory, 'killed.db')
    let last = 0
    let printed = 0
    for (let round = 0; round < (thorough ? 10 : 1); round++) {
      const child = startCommitting(path)
      const killAfter = 1 + Math.floor(Math.random() * 40)
      let seen = 0
      for await (const line of child.lines) {
        last = Number(line)
        printed++
        if (++seen === killAfter) child.process.kill('SIGKILL')
      }
      await child.ended
      const storage = await openFile(path, { create: true })
      const [key] = await storage.keys.list({ account, region, limit: 2 })
      const [alias] = await storage.aliases.list({ account, region, limit: 2 })
      const made = storage.encryptions.made(aMaterial(1).id)
      await storage.close()
      // Each kill adds the 100 that may not be written, and the last five of each round may be counted already.
      expect(made).toBeGreaterThanOrEqual(5 * printed)
      expect(made).toBeLessThanOrEqual(5 * printed + (5 + 100) * (round + 1))
      expect(Number(key!.description)).toBe(alias!.lastUpdatedDate)
      expect([last, last + 1]).toContain(alias!.lastUpdatedDate)
      last = alias!.lastUpdatedDate
    }
    const events = query(path, 'select event_id from outbox').map(({ event_id }) => event_id)
    expect(new Set(events)).toEqual(new Set(Array.from({ length: last }, (_, i) => `event-${i + 1}`)))
  }, 60_000)

  it('serves one process only, and the next one after that has ended', async () => {
    const path = join(directory, 'used.db')
    const child = startCommitting(path)
    await once(child.lines, 'line')
    await expect(openFile(path, { create: true })).rejects.toThrow(
      new OperatorError(`storage ${path} is in use by another Strongroom process: stop it first`),
    )
    child.process.kill('SIGKILL')
    await child.ended
    const storage = await openFile(path, { create: true })
    await expect(openFile(path, { create: true })).rejects.toThrow('is in use by another Strongroom process')
    await storage.close()
  })

  it('changes nothing while it cannot grow, and resumes when it can', async () => {
    const path = join(directory, 'grown.db')
    const { engine, run } = controlled(sqlite(path, { create: true }))
    const storage = await openHere(engine)
    await run('pragma max_page_count = 120')
    const committed = await fillUp(storage)
    await run('pragma max_page_count = 1000000')
    await expectOnly(storage, committed)
    await putKeys(storage, 9999)
    await storage.close()
    const again = await openFile(path, { create: true })
    await expectOnly(again, [...committed, 9999])
    await again.close()
  })

  it.runIf(canMount)('changes nothing while the disk is full, and resumes when it is not', async () => {
    await onSmallDisk('2m', async disk => {
      const path = join(disk, 'storage.db')
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(1_000_000))
      const storage = await openFile(path, { create: true })
      const committed = await fillUp(storage)
      await expectOnly(storage, committed)
      rmSync(join(disk, 'ballast'))
      await putKeys(storage, 9999)
      await storage.check()
      await storage.close()
      const again = await openFile(path, { create: true })
      await expectOnly(again, [...committed, 9999])
      await again.close()
    })
  })

  const moveAway = (path: string) => renameSync(path, `${path}.old`)
  const moveBack = (path: string) => renameSync(`${path}.old`, path)

  it.each<[string, (path: string) => void, ((path: string) => void)?]>([
    ['deleted', path => rmSync(path)],
    ['moved away', moveAway, moveBack],
    [
      'replaced by a copy',
      path => {
        moveAway(path)
        copyFileSync(`${path}.old`, path)
      },
      moveBack,
    ],
    ['in a directory that is moved', path => moveAway(dirname(path)), path => moveBack(dirname(path))],
    [
      'behind a symbolic link that leads elsewhere',
      path => {
        moveAway(path)
        symlinkSync('/dev/null', path)
      },
      moveBack,
    ],
    ['without its write-ahead log', path => rmSync(`${path}-wal`)],
    ['without the write-ahead log it has opened', path => moveAway(`${path}-wal`), path => moveBack(`${path}-wal`)],
  ])('that is %s while it is open accepts no change, until it is in place again', async (_, harm, undo) => {
    const inside = mkdtempSync(join(directory, 'harmed-'))
    const path = join(inside, 'storage.db')
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1)
    await storage.check()
    harm(path)
    await expect(storage.check()).rejects.toMatchObject({ code: 'Internal' })
    await expect(putKeys(storage, 2)).rejects.toMatchObject({ code: 'Internal' })
    await expectOnly(storage, [1])
    if (undo === undefined) return storage.close()
    undo(path)
    await storage.check()
    await putKeys(storage, 3)
    await storage.close()
    const again = await openFile(path)
    await expectOnly(again, [1, 3])
    await again.close()
  })

  it('is created on request only: a missing or empty one is not opened', async () => {
    const path = join(directory, 'lost.db')
    for (const lose of [() => {}, () => writeFileSync(path, '')]) {
      lose()
      const there = existsSync(path)
      const opened = openFile(path)
      await expect(opened).rejects.toBeInstanceOf(OperatorError)
      await expect(opened).rejects.toThrow(there ? `storage ${path} is empty` : `storage ${path} is missing`)
      expect(existsSync(path)).toBe(there)
      if (there) expect(query(path, 'select name from sqlite_master')).toEqual([])
    }
  })

  it.each(['a b', '%41', 'ä#?&mode=ro', "quote's"])('is opened by its own name: %s', async name => {
    const path = join(directory, name)
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1)
    await storage.close()
    expect(existsSync(path)).toBe(true)
    const again = await openFile(path)
    await expectOnly(again, [1])
    await again.close()
  })

  it('whose thread has ended rejects changes at once, and is complete when it is opened again', async () => {
    const path = join(directory, 'ended.db')
    const posted = vi.spyOn(Worker.prototype, 'postMessage')
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1)
    const thread = posted.mock.contexts.at(-1) as Worker
    posted.mockRestore()
    const waiting = Promise.allSettled([putKeys(storage, 2), storage.check()])
    await thread.terminate()
    await waiting
    await expect(storage.check()).rejects.toMatchObject({ code: 'Internal' })
    await expect(putKeys(storage, 3)).rejects.toMatchObject({ code: 'Internal' })
    expect(storage.failing).toBe(true)
    expect(storage.keys.find(aKey(1).arn)).toBeDefined()
    await storage.close()
    const again = await openFile(path)
    expect(again.keys.find(aKey(1).arn)).toBeDefined()
    expect(again.keys.find(aKey(3).arn)).toBeUndefined()
    await again.close()
  })

  it.each([
    ['text', () => Buffer.from('accounts: []\n'.repeat(1000)), 'is not a SQLite database'],
    ['a database whose pages are overwritten', damaged, 'is damaged: restore it from a backup'],
  ])('is not opened if it is %s', async (name, content, message) => {
    const path = join(directory, `${name}.db`)
    writeFileSync(path, await content(directory))
    await expect(openFile(path, { create: true })).rejects.toThrow(new OperatorError(`storage ${path} ${message}`))
  })

  it('is not opened if any part of it is damaged', async () => {
    const path = join(directory, 'whole.db')
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1, 2, 3)
    await storage.close()
    const whole = readFileSync(path)
    const damages = new Map<string, () => void>()
    for (let page = 1; page < whole.length / 4096; page++)
      damages.set(`page ${page}`, () =>
        writeFileSync(path, Buffer.from(whole).fill(0xa5, page * 4096, (page + 1) * 4096)),
      )
    damages.set('a value', () => query(path, "update keys set tags = 'not JSON'"))
    const refused: string[] = []
    for (const [name, damage] of damages) {
      writeFileSync(path, whole)
      damage()
      try {
        await (await openHere(sqlite(path))).close()
      } catch (error) {
        expect(error, name).toBeInstanceOf(OperatorError)
        expect((error as Error).message, name).toMatch(
          new RegExp(`^storage ${path} (is damaged: restore it from a backup|cannot be opened: [^\n]+)$`),
        )
        refused.push(name)
      }
    }
    expect(refused.length).toBeGreaterThan(5)
    expect(refused).toContain('a value')
  })

  it('is not opened in a missing directory, or if it is a directory', async () => {
    for (const path of [join(directory, 'missing', 'storage.db'), directory]) {
      const opened = openFile(path, { create: true })
      await expect(opened).rejects.toBeInstanceOf(OperatorError)
      await expect(opened).rejects.toThrow(`storage ${path} cannot be opened: check that its folder exists`)
    }
  })

  it('is not opened while it is read-only', async () => {
    const path = join(directory, 'read-only.db')
    const storage = await openFile(path, { create: true })
    await storage.close()
    const user = process.geteuid!()
    chmodSync(path, 0o444)
    chmodSync(directory, 0o755)
    if (user === 0) process.seteuid!(65534)
    try {
      await expect(openHere(sqlite(path))).rejects.toThrow(
        `storage ${path} cannot be locked: check that it is writable`,
      )
    } finally {
      if (user === 0) process.seteuid!(0)
    }
  })

  it.skipIf(process.getuid!() === 0)('is not opened in an unreadable directory', async () => {
    const path = join(directory, 'closed')
    mkdirSync(path, { mode: 0o000 })
    await expect(openFile(join(path, 'storage.db'), { create: true })).rejects.toBeInstanceOf(OperatorError)
  })
})

/** Commits two keys at a time until that fails; returns the numbers of those that are in. */
async function fillUp(storage: Storage): Promise<number[]> {
  const committed: number[] = []
  for (let number = 1; number < 1000; number += 2) {
    try {
      await putKeys(storage, number, number + 1)
    } catch (error) {
      expect(error).toMatchObject({ code: 'Internal', cause: { errcode: 13 } })
      expect(committed).not.toEqual([])
      return committed
    }
    committed.push(number, number + 1)
  }
  throw new Error('the disk never filled up')
}

function startCommitting(path: string) {
  const script = join(import.meta.dirname, '../commit-until-killed.ts')
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  return { process: child, lines: createInterface(child.stdout), ended: once(child, 'close') }
}

/** The engine, and a way to reach the connection that it gave to the storage. */
function controlled(engine: SqliteEngine): { engine: SqliteEngine; run(statement: string): Promise<void> } {
  const { dialect } = engine
  let driver: Driver
  return {
    engine: {
      ...engine,
      dialect: {
        createDriver: () => (driver = dialect.createDriver()),
        createAdapter: () => dialect.createAdapter(),
        createQueryCompiler: () => dialect.createQueryCompiler(),
        createIntrospector: db => dialect.createIntrospector(db),
      },
    },
    async run(statement) {
      const connection = await driver.acquireConnection()
      await connection.executeQuery(CompiledQuery.raw(statement), {})
    },
  }
}

/** A database that was written by a storage, of which everything after the first page is noise. */
async function damaged(directory: string): Promise<Buffer> {
  const path = join(directory, 'to-be-damaged.db')
  const storage = await openFile(path, { create: true })
  await putKeys(storage, 1, 2, 3)
  await storage.close()
  return readFileSync(path).fill(0x5a, 4096)
}
