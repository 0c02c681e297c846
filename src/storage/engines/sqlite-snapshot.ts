/** A consistent copy of a SQLite file, taken without a lock while another process writes to it. */
import { closeSync, constants, copyFileSync, openSync, readSync, rmSync } from 'node:fs'
import { OperatorError } from '../../errors.ts'

/** Bytes of the header of a write-ahead log, with the salts of its generation (sqlite.org/fileformat2.html, 4.1). */
const headerLength = 32

const attempts = 50

/**
 * Copies the database at `path` and its write-ahead log to `copy`, which must not exist. Throws OperatorError.
 *
 * A checkpoint may change pages of the database while they are copied, but each of them is in the log too, as long as the log is not
 * started again: then its header is another (sqlite.org/walformat.html, "Checkpoints and Recovery"). So the copy is what the log, copied
 * second, recovers; the checksums of the log end it at its last whole transaction.
 */
export function copyDatabase(path: string, copy: string): void {
  const log = `${path}-wal`
  const copiedLog = `${copy}-wal`
  for (let attempt = 1; attempt <= attempts; attempt++) {
    rmSync(copiedLog, { force: true })
    const generation = headerOf(log)
    copyFile(path, copy, path)
    if (generation === '') {
      if (headerOf(log) === '') return
    } else {
      copyFile(log, copiedLog, path)
      if (headerOf(copiedLog) === generation && headerOf(log) === generation) return
    }
  }
  throw new OperatorError(`storage ${path} changes too fast to be read: try again, or stop the gateway first`)
}

/** Hex; empty if there is no log, or nothing in it. */
function headerOf(log: string): string {
  let descriptor: number
  try {
    descriptor = openSync(log, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
  try {
    const header = Buffer.alloc(headerLength)
    return readSync(descriptor, header, 0, headerLength, 0) < headerLength ? '' : header.toString('hex')
  } finally {
    closeSync(descriptor)
  }
}

/** A log that disappears meanwhile is seen in the next attempt. */
function copyFile(from: string, to: string, database: string): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (from !== database && code === 'ENOENT') return
    const reason = code === 'ENOENT' ? 'it is missing' : `${code}; TMPDIR names another`
    throw new OperatorError(`cannot copy storage ${database} to a temporary folder: ${reason}`, { cause: error })
  }
}
