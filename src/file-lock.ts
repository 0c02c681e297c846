/**
 * Locks between processes. Node.js has neither flock(2) nor fcntl(2), so it is the lock of an empty SQLite database (sqlite.org/lockingv3.html).
 * The system releases it when the process ends, however it ends, and it also holds between locks of one process.
 */
import { closeSync, fchownSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'

/** SQLITE_BUSY (sqlite.org/rescode.html). */
const busy = 5

export class FileLock {
  readonly #database: DatabaseSync
  readonly #begin: StatementSync
  readonly #end: StatementSync
  /** Set once the file could be read: the database is busy while another one has the lock. */
  #isWithoutJournal = false

  /**
   * Creates the file if it is missing, with mode 0600, for the owner of its folder. It stays empty, and is not removed: another process may wait for it. Throws what
   * SQLite says if it cannot be opened.
   *
   * @param timeout milliseconds to wait for another process
   */
  constructor(path: string, timeout = 0) {
    try {
      create(path)
    } catch {
      // It is there, or SQLite says why not.
    }
    this.#database = new DatabaseSync(path, { timeout })
    this.#begin = this.#database.prepare('begin exclusive')
    this.#end = this.#database.prepare('rollback')
  }

  /** False if another one has it. Throws what SQLite says if the file cannot be locked. */
  acquire(): boolean {
    try {
      // Nothing is ever written, so that a journal would be a file created and deleted each time.
      if (!this.#isWithoutJournal) this.#database.exec('pragma journal_mode = memory')
      this.#isWithoutJournal = true
      this.#begin.run()
      return true
    } catch (error) {
      if ((error as { errcode?: number }).errcode === busy) return false
      throw error
    }
  }

  release(): void {
    this.#end.run()
  }

  close(): void {
    this.#database.close()
  }
}

/** Exclusively: what root gives away is the new file, whatever else the owner of the folder may put in its place. */
function create(path: string): void {
  const file = openSync(path, 'ax', 0o600)
  try {
    const { uid, gid } = statSync(dirname(path))
    // As a command of root would otherwise lock out the gateway.
    if (process.geteuid?.() === 0) fchownSync(file, uid, gid)
  } finally {
    closeSync(file)
  }
}
