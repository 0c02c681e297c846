/** The embedded engine: one SQLite file, used by one process. */
import { closeSync, openSync, realpathSync, statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { type Dialect, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import type { Engine } from './engine.ts'
import { OneConnection } from './one-connection.ts'

/** Long enough for a previous process to release the file. */
export const busyTimeoutMilliseconds = 500

/**
 * In this order: the exclusive lock must be requested before WAL mode. It is then held from the first read until the process ends
 * (sqlite.org/wal.html, "Use of WAL Without Shared-Memory").
 */
const pragmas = ['locking_mode = exclusive', 'journal_mode = wal', 'synchronous = full', 'foreign_keys = on']
/** Without a loss of consistency, but the last transactions before a power failure may be lost. */
const sharedPragmas = ['journal_mode = wal', 'synchronous = normal', 'foreign_keys = on']

/** SQLITE_CONSTRAINT_FOREIGNKEY (sqlite.org/rescode.html). */
const foreignKeyViolation = 787

const missing =
  'is missing: restore it from a backup; strongroom init creates it only if there are no audit records, token or credentials'

const memory = ':memory:'

/** The end of the message when another process has the database. */
export const inUse = 'is in use by another Strongroom process: stop it first'

/** By result code, extended or primary (sqlite.org/rescode.html). */
const explanations: Readonly<Record<number, string>> = {
  5: inUse,
  8: 'cannot be written: it is read-only',
  10: 'cannot be opened: the disk reports an error',
  11: 'is damaged: restore it from a backup',
  13: 'cannot be written: the disk is full',
  14: 'cannot be opened: check that its folder exists and is writable',
  26: 'is not a SQLite database',
  3850: 'cannot be locked: check that it is writable, and that its file system supports locks',
}

export interface SqliteOptions {
  /** Whether the file is created, with mode 0600, if it is missing. */
  readonly create?: boolean
  /** Whether other processes may read it meanwhile: for what can be built again. */
  readonly shared?: boolean
  /** Whether the process that has the file does so for several gateways. */
  readonly fleet?: boolean
}

export interface SqliteEngine extends Engine {
  readonly dialect: Dialect
  /** Throws if writes would be lost, because the open file is no longer the one at its path. */
  verify(): void
}

/** @param path of the file; `:memory:` for a transient database */
export function sqlite(
  path: string,
  { create = false, shared = false, fleet = false }: SqliteOptions = {},
): SqliteEngine {
  const files = new Map<string, string>()
  return {
    name: `storage ${path}`,
    dialect: new SqliteDialect({ database: async () => adapt(connect(path, { create, shared })) }),
    types: { text: 'text', bytes: 'blob' },
    now: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
    fleet,
    creates: create,
    elsewhere: 'set storage.file to another path',
    verify() {
      if (path !== memory) verify(path, files)
    },
    connect() {
      return new OneConnection(this)
    },
    conflicts: error => resultCode(error) === foreignKeyViolation,
    explain(error) {
      return !create && isMissing(path) ? missing : explained(error)
    },
  }
}

/** Why a file cannot be opened, as the rest of a sentence that begins with its name. */
export function explained(error: unknown): string {
  const code = resultCode(error)
  const message = error instanceof Error ? error.message : String(error)
  return explanations[code] ?? explanations[code & 0xff] ?? `cannot be opened: ${message}`
}

function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
}

function connect(path: string, { create, shared }: Required<Pick<SqliteOptions, 'create' | 'shared'>>): DatabaseSync {
  if (path !== memory && create) createPrivate(path)
  const database = new DatabaseSync(path === memory ? path : withoutCreation(path), {
    timeout: busyTimeoutMilliseconds,
  })
  try {
    for (const pragma of shared ? sharedPragmas : pragmas) database.exec(`pragma ${pragma}`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function isMissing(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined
  } catch {
    return false
  }
}

/** sqlite.org/uri.html: SQLite would create a missing file. */
function withoutCreation(path: string): URL {
  const url = pathToFileURL(path)
  url.searchParams.set('mode', 'rw')
  return url
}

/**
 * Compares device and inode of the database and its write-ahead log, which exists from the first write on, with those in `files`. A file
 * that was deleted or replaced stays open, and writes to it are lost when it is closed.
 */
function verify(path: string, files: Map<string, string>): void {
  if (files.size === 0) for (const file of [path, `${realpathSync(path)}-wal`]) files.set(file, identity(file))
  for (const [file, opened] of files) {
    if (identity(file) !== opened) throw new Error(`${file} is not the file that was opened`)
  }
}

function identity(file: string): string {
  const { dev, ino } = statSync(file, { bigint: true })
  return `${dev}:${ino}`
}

/**
 * SQLite itself would create the file world-readable. An existing file is not opened: closing a descriptor would drop this process's locks
 * on it (sqlite.org/howtocorrupt.html, 2.2).
 */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch {
    // It exists or cannot be created: SQLite reports which.
  }
}

/** The part of better-sqlite3's shape that Kysely's driver uses. */
function adapt(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(sql) {
      // A full disk makes SQLite roll back by itself (sqlite.org/lang_transaction.html); a second time would be an error that
      // hides the first.
      const done = sql === 'rollback' && !database.isTransaction
      const statement = database.prepare(done ? 'select 1' : sql)
      const columns = statement.columns().map(column => column.name)
      return {
        reader: columns.length > 0,
        all(parameters) {
          statement.setReturnArrays(true)
          const rows = statement.all(...(parameters as SQLInputValue[])) as unknown as SQLOutputValue[][]
          return rows.map(values => toObject(columns, values))
        },
        run: parameters => statement.run(...(parameters as SQLInputValue[])),
        iterate: parameters => statement.iterate(...(parameters as SQLInputValue[])),
      }
    },
  }
}

/** The objects of node:sqlite are in V8's dictionary mode: loading 10,000 keys would take three times as long. */
function toObject(columns: readonly string[], values: readonly SQLOutputValue[]): Record<string, SQLOutputValue> {
  const row: Record<string, SQLOutputValue> = {}
  for (let index = 0; index < columns.length; index++) row[columns[index]!] = values[index]!
  return row
}
