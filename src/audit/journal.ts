/** The audit journal: a file of JSON lines in which a record is durable before its call is answered. */
import { constants, type Stats, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { getSystemErrorMessage } from 'node:util'
import { Failure, OperatorError } from '../errors.ts'
import type { AuditRecord, Journal } from './entry.ts'

/** The part of a FileHandle, opened for appending, that the journal uses. */
export interface JournalFile {
  /** Appends the bytes from `offset` on, and resolves when they are durable; like write(2) it may write fewer. */
  write(bytes: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }>
  truncate(length: number): Promise<void>
  /**
   * Bytes of the file at the journal's path. Throws if that is another file, or none. Synchronous: right after a write the metadata is in
   * memory, while a second job for libuv's pool takes about as long as the write.
   */
  size(): number
  /** Complete lines from an offset that begins one. */
  lines(start: number): AsyncIterable<string>
  close(): Promise<void>
}

/**
 * Opens the journal. A missing file is created with mode 0600, unless `awaited`: then storage keeps records that the missing file may hold.
 * Throws OperatorError.
 *
 * A crash during a write leaves an incomplete last line; the call of that record was never answered. If the line is a complete record its
 * newline is added, otherwise it is removed. Nothing before it is changed.
 */
export async function openJournal(path: string, { awaited = false } = {}): Promise<FileJournal> {
  let file: FileHandle | undefined
  try {
    // O_DSYNC: a write returns when it is durable; a separate fdatasync would be a second job for libuv's pool.
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_DSYNC
    file = await open(path, awaited ? flags : flags | constants.O_CREAT, 0o600)
    await syncDirectory(dirname(path))
    const size = await repairLastLine(file, path)
    await file.datasync()
    const stats = await file.stat()
    return new FileJournal(fileOf(file, path, stats), size, `${stats.ino}`)
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

/** Fills a block of the file system, to test for space. It is removed again, like any incomplete line. */
const blank = Buffer.alloc(4096, ' ')

/** Lines that become durable together, and the promise of all their calls. */
class Batch {
  text = ''
  isWanted = false
  readonly durable = Promise.withResolvers<void>()
}

export class FileJournal implements Journal {
  readonly #file: JournalFile
  /** Distinguishes this file from one that a rotation moved away. */
  readonly #identity: string
  /** Bytes of the file up to its last complete line. */
  #size: number
  /** Collects records while the previous batch is being written. Bounded by the requests in flight, as each awaits its record. */
  #gathering = new Batch()
  #writing: Promise<void> | undefined
  /** A failed write may have left bytes after `#size`. */
  #torn = false
  #failing = false

  constructor(file: JournalFile, size: number, identity: string) {
    this.#file = file
    this.#size = size
    this.#identity = identity
  }

  get position(): string {
    return `${this.#identity}:${this.#size}`
  }

  get failing(): boolean {
    return this.#failing
  }

  async append(record: AuditRecord): Promise<void> {
    const batch = this.#gathering
    batch.text += `${JSON.stringify(record)}\n`
    return this.#want(batch)
  }

  check(): Promise<void> {
    return this.#want(this.#gathering)
  }

  #want(batch: Batch): Promise<void> {
    batch.isWanted = true
    this.#writing ??= this.#writeBatches()
    return batch.durable.promise
  }

  async successes(events: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, boolean>> {
    const found = new Map<string, boolean>()
    let start = this.#size
    for (const [id, position] of events) {
      const offset = this.#offset(position)
      if (offset !== undefined) found.set(id, false)
      start = Math.min(start, offset ?? 0)
    }
    if (start === this.#size) return found
    for await (const line of this.#file.lines(start)) {
      const id = /"eventID":"([^"]*)"/.exec(line)?.[1]
      if (id !== undefined && events.has(id) && successOf(line)) found.set(id, true)
    }
    return found
  }

  async *changesAfter(position: string): AsyncGenerator<AuditRecord> {
    const start = this.#offset(position)
    if (start === undefined || start === this.#size) return
    for await (const line of this.#file.lines(start)) {
      const record = line.includes('"readOnly":false') ? successOf(line) : undefined
      if (record?.readOnly === false) yield record
    }
  }

  /** Undefined for a position in another file, or beyond the end of this one. */
  #offset(position: string): number | undefined {
    const [identity, offset] = position.split(':')
    return identity === this.#identity && Number(offset) <= this.#size ? Number(offset) : undefined
  }

  /** Ends once everything appended so far is durable or rejected. */
  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  async #writeBatches(): Promise<void> {
    // Lets all calls of this turn of the event loop join the first batch.
    await new Promise(setImmediate)
    while (this.#gathering.isWanted) {
      const batch = this.#gathering
      this.#gathering = new Batch()
      try {
        await this.#write(Buffer.from(batch.text))
        this.#failing = false
        batch.durable.resolve()
      } catch (error) {
        this.#failing = true
        batch.durable.reject(new Failure('Internal', '', { cause: error }))
      }
    }
    this.#writing = undefined
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      if (this.#torn) await this.#cut()
      if (this.#failing) await this.#try()
      await this.#extend(bytes)
      this.#size += bytes.length
    } catch (error) {
      // If this fails, too, the next batch tries again before it writes.
      if (this.#torn) await this.#cut().catch(() => undefined)
      throw error
    }
  }

  /** Tests that the file is in place and there is space, before a record depends on it. */
  async #try(): Promise<void> {
    await this.#extend(Buffer.alloc(0))
    await this.#extend(blank)
    await this.#cut()
  }

  /**
   * Records written to a file that was deleted or moved would be lost, and a file that another process has changed may hold incomplete
   * records. Rejects until the file is in place again, or the gateway is restarted.
   */
  async #extend(bytes: Uint8Array): Promise<void> {
    this.#torn = bytes.length > 0
    for (let offset = 0; offset < bytes.length; ) offset += (await this.#file.write(bytes, offset)).bytesWritten
    const [size, expected] = [this.#file.size(), this.#size + bytes.length]
    this.#torn = false
    if (size !== expected)
      throw new Error(`another process changed the audit file: ${size} bytes instead of ${expected}`)
  }

  async #cut(): Promise<void> {
    // Truncating beyond the end would extend the file with zeros.
    if (this.#file.size() < this.#size) throw new Error('another process truncated the audit file')
    await this.#file.truncate(this.#size)
    this.#torn = false
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
    lines: start => createInterface(file.createReadStream({ start, autoClose: false })),
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

/** Returns the size of the file, whose last line is then complete. */
async function repairLastLine(file: FileHandle, path: string): Promise<number> {
  const { size } = await file.stat()
  if (size === 0) return 0
  if ((await read(file, 0, 1)) !== '{')
    throw new OperatorError(`${path} is not an audit journal: set audit.file to another path`)
  const end = await endOfLastLine(file, size)
  if (end === size) return size
  if (isRecord(await read(file, end, size - end))) {
    await file.write('\n')
    return size + 1
  }
  await file.truncate(end)
  return end
}

/** Offset after the last newline; 0 when there is none. */
async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  const step = 65_536
  for (let end = size; end > 0; end -= step) {
    const start = Math.max(0, end - step)
    const newline = (await readBytes(file, start, end - start)).lastIndexOf(0x0a)
    if (newline >= 0) return start + newline + 1
  }
  return 0
}

async function read(file: FileHandle, start: number, length: number): Promise<string> {
  return (await readBytes(file, start, length)).toString()
}

async function readBytes(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}

function isRecord(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

/** Undefined for a record of failure and for a damaged line. */
function successOf(line: string): AuditRecord | undefined {
  const record = isRecord(line) ? (JSON.parse(line) as AuditRecord) : undefined
  return record?.errorCode === undefined ? record : undefined
}

function reason(error: unknown): string {
  if (error instanceof Error && 'errno' in error) return getSystemErrorMessage(Number(error.errno)) ?? error.message
  return String(error)
}
