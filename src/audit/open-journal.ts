/** Opens the file of an audit journal, and repairs it after a crash. */
import { randomUUID } from 'node:crypto'
import { constants, type Stats, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { OperatorError } from '../errors.ts'
import { FileJournal, type JournalFile } from './file-journal.ts'
import {
  blockOf,
  type Head,
  isCutHeader,
  noHash,
  type SegmentHeader,
  segmentHeaderOf,
  type Trailer,
  trailerMark,
  trailerOf,
} from './format.ts'

export interface JournalOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Storage keeps records that the journal may hold. */
  readonly awaited?: boolean
}

/**
 * Opens the journal. A missing file is created with mode 0600, unless `awaited`.
 * Throws OperatorError.
 *
 * A crash during a write leaves an incomplete last block; the calls of its records were never answered. It is removed. Nothing before it is
 * changed.
 */
export async function openJournal(path: string, { clock, awaited = false }: JournalOptions): Promise<FileJournal> {
  let file: FileHandle | undefined
  try {
    // O_DSYNC: a write returns when it is durable; a separate fdatasync would be a second job for libuv's pool.
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_DSYNC
    file = await open(path, awaited ? flags : flags | constants.O_CREAT, 0o600)
    await syncDirectory(dirname(path))
    const { size, head } = (await repaired(file, path)) ?? (await begun(file, clock()))
    await file.datasync()
    return new FileJournal(fileOf(file, path, await file.stat()), size, head)
  } catch (error) {
    await file?.close()
    if (error instanceof OperatorError) throw error
    if (awaited && (error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new OperatorError(
        `audit journal ${path} is missing, and may hold the records of the last changes: restore it, ` +
          'or create an empty file if it is lost',
      )
    }
    throw new OperatorError(`audit journal ${path} cannot be opened: ${reason(error)}`, { cause: error })
  }
}

function fileOf(file: FileHandle, path: string, opened: Stats): JournalFile {
  return {
    size() {
      const { dev, ino, size } = statSync(path)
      if (dev !== opened.dev || ino !== opened.ino) throw new Error(`${path} is not the file that was opened`)
      return size
    },
    write: (bytes, offset) => file.write(bytes, offset),
    truncate: length => file.truncate(length),
    close: () => file.close(),
  }
}

/** The name of a new file is durable only after its directory is synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

interface End {
  readonly size: number
  readonly head: Head
}

/** Writes the first block. */
async function begun(file: FileHandle, now: number): Promise<End> {
  const [journal, segment] = [randomUUID(), 1]
  const header: SegmentHeader = { version: 1, journal, number: segment, time: new Date(now).toISOString() }
  const empty = { journal, segment, block: 0, record: 0, hash: noHash }
  const { bytes, head } = blockOf(`${JSON.stringify({ segment: header })}\n`, 0, empty)
  for (let offset = 0; offset < bytes.length; ) offset += (await file.write(bytes, offset)).bytesWritten
  return { size: bytes.length, head }
}

/** Removes an incomplete block at the end. Returns undefined if no block is left. */
async function repaired(file: FileHandle, path: string): Promise<End | undefined> {
  const { size } = await file.stat()
  if (size === 0) return undefined
  const beginning = await read(file, 0, 4096)
  const header = segmentHeaderOf(beginning)
  if (header === undefined) {
    if (!isCutHeader(beginning))
      throw new OperatorError(`${path} is not an audit journal: set audit.file to another path`)
    await file.truncate(0)
    return undefined
  }
  const last = await lastTrailer(file, size)
  await file.truncate(last?.end ?? 0)
  if (last === undefined) return undefined
  const { number: block, record, hash } = last.trailer
  return { size: last.end, head: { journal: header.journal, segment: header.number, block, record, hash } }
}

/** The last complete one, and the offset of its end. */
async function lastTrailer(file: FileHandle, size: number): Promise<{ trailer: Trailer; end: number } | undefined> {
  for (let length = 65_536; ; length *= 16) {
    const start = Math.max(0, size - length)
    const bytes = await readBytes(file, start, size - start)
    for (let at = bytes.lastIndexOf(trailerMark); at >= 0; at = at > 0 ? bytes.lastIndexOf(trailerMark, at - 1) : -1) {
      const end = bytes.indexOf(0x0a, at + 1)
      const trailer = end < 0 ? undefined : trailerOf(bytes.toString('latin1', at + 1, end))
      if (trailer) return { trailer, end: start + end + 1 }
    }
    if (start === 0) return undefined
  }
}

async function read(file: FileHandle, start: number, length: number): Promise<string> {
  return (await readBytes(file, start, length)).toString()
}

async function readBytes(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}

function reason(error: unknown): string {
  if (error instanceof Error && 'errno' in error) return getSystemErrorMessage(Number(error.errno)) ?? error.message
  return String(error)
}
