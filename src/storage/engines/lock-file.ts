/**
 * A lock of a file, which the system releases when the process ends, however it ends. Node.js has neither flock(2) nor fcntl(2): it is that
 * of an empty SQLite database (sqlite.org/lockingv3.html), which also holds between connections of one process.
 */
import { DatabaseSync } from 'node:sqlite'
import { OperatorError } from '../../errors.ts'
import { busyTimeoutMilliseconds, createPrivate, explained } from './sqlite.ts'

/**
 * Creates the file if it is missing, with mode 0600. It stays empty, and is not removed: another process may wait for it. Disposal releases
 * it. Throws OperatorError, if another process has it after half a second, or if it cannot be locked.
 *
 * @param path of the lock
 * @param name of what it protects, for messages
 */
export function lockFile(path: string, name: string): Disposable {
  createPrivate(path)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: busyTimeoutMilliseconds })
    database.exec('begin exclusive')
  } catch (error) {
    database?.close()
    throw new OperatorError(`${name} ${explained(error)}`, { cause: error })
  }
  const locked = database
  return { [Symbol.dispose]: () => locked.close() }
}
