import { OperatorError } from '../../errors.ts'
import { FileLock } from '../../file-lock.ts'
import { busyTimeoutMilliseconds, explained, inUse } from './sqlite.ts'

/**
 * Keeps other processes from what a file stands for. Disposal releases it. Throws OperatorError, if another process has it after half a
 * second, or if it cannot be locked.
 *
 * @param path of the lock
 * @param name of what it protects, for messages
 */
export function lockFile(path: string, name: string): Disposable {
  let lock: FileLock | undefined
  try {
    lock = new FileLock(path, busyTimeoutMilliseconds)
    if (lock.acquire()) {
      const acquired = lock
      return { [Symbol.dispose]: () => acquired.close() }
    }
  } catch (error) {
    lock?.close()
    throw new OperatorError(`${name} ${explained(error)}`, { cause: error })
  }
  lock.close()
  throw new OperatorError(`${name} ${inUse}`)
}
