import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { copyDatabase } from '../../../src/storage/engines/sqlite-snapshot.ts'
import { putKeys } from '../database-files.ts'
import { openFile, openHere } from '../open.ts'
import { aKey } from '../records.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'snapshot-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Counts in 60 rows at once as fast as it can, with a checkpoint and a new log every few transactions; prints each count. */
const writer = `
  const { DatabaseSync } = require('node:sqlite')
  const db = new DatabaseSync(process.argv[1])
  for (const pragma of ['locking_mode = exclusive', 'journal_mode = wal', 'synchronous = off', 'wal_autocheckpoint = 100'])
    db.exec('pragma ' + pragma)
  db.exec('create table rows (id integer primary key, count integer, filler text)')
  for (let id = 0; id < 60; id++) db.exec("insert into rows values (" + id + ", 0, '" + 'f'.repeat(3000) + "')")
  for (let count = 1; ; count++) {
    db.exec('update rows set count = ' + count)
    require('node:fs').writeSync(1, count + '\\n')
  }`

describe('a copy of a database that is written meanwhile', () => {
  it('has whole transactions only, and all that were committed before', { timeout: 60_000 }, async () => {
    const path = join(folder, 'busy.db')
    const child: ChildProcess = spawn(process.execPath, ['-e', writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let written = 0
    const lines = createInterface({ input: child.stdout! }).on('line', line => {
      written = Number(line)
    })
    try {
      await once(lines, 'line')
      const counts: number[] = []
      for (let number = 0; number < 40; number++) {
        const before = written
        const copy = join(folder, `copy-${number}.db`)
        copyDatabase(path, copy)
        using db = new DatabaseSync(copy)
        const found = db.prepare('select distinct count from rows').all()
        expect(found).toHaveLength(1)
        expect(db.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
        counts.push(Number(found[0]!.count))
        expect(counts.at(-1)).toBeGreaterThanOrEqual(before)
        await once(lines, 'line')
      }
      expect(new Set(counts).size).toBeGreaterThan(10)
    } finally {
      child.kill('SIGKILL')
    }
  })

  it('is read while the gateway has the database locked, and leaves it alone', async () => {
    const path = join(folder, 'locked.db')
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1, 2)
    const copy = join(folder, 'of-locked.db')
    copyDatabase(path, copy)
    const copied = await openHere(sqlite(copy))
    expect(copied.keys.find(aKey(2).arn)?.policy).toBe('p'.repeat(2000))
    await putKeys(storage, 3)
    expect(copied.keys.find(aKey(3).arn)).toBeUndefined()
    await copied.close()
    await storage.close()
    copyDatabase(path, join(folder, 'of-closed.db'))
    expect(readdirSync(folder)).not.toContain('of-closed.db-wal')
  })

  it('does not keep the log of an earlier copy', async () => {
    const path = join(folder, 'closed.db')
    const storage = await openFile(path, { create: true })
    await storage.close()
    const copy = join(folder, 'again.db')
    writeFileSync(`${copy}-wal`, 'of another database')
    copyDatabase(path, copy)
    expect(readdirSync(folder)).not.toContain('again.db-wal')
  })

  it('is refused if there is no database', () => {
    expect(() => copyDatabase(join(folder, 'none.db'), join(folder, 'no-copy.db'))).toThrow(
      `cannot copy storage ${join(folder, 'none.db')} to a temporary folder: it is missing`,
    )
  })
})
