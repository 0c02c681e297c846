/** The segment that is being written, as a file. */
import { constants, type Stats, statSync } from 'node:fs'
import { type FileHandle, lstat, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ifThere, readBytes } from './segment-bytes.ts'
import { segmentFile } from './segments.ts'
import type { DurableEnd } from './tail.ts'

/**
 * What became of a segment: `whole` up to its durable end; `ended`, as it has its number already; `removed`, but still open; or `damaged` by
 * another process, which has truncated it or written to it.
 */
export type Condition = 'whole' | 'ended' | 'removed' | 'damaged'

/** The segment that a journal writes. */
export interface SegmentFile {
  /** Appends the bytes from `offset` on, and resolves when they are durable; like write(2) it may write fewer. */
  write(bytes: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }>
  /** Bytes of the file at the path. Rejects if that is another file, or none. */
  size(): Promise<number>
  /** The same, right after a write has ended: its metadata is in memory then, so that this does not wait for a disk, as `size` may. */
  writtenSize(): number
  /**
   * Finds out what a failed write has left, and removes that. Rejects if another file is in its place.
   *
   * @param attempted what the failed write may have written, in whole or in part
   */
  repair(end: DurableEnd, attempted: Uint8Array): Promise<Condition>
  /**
   * Gives the segment its number, and begins the next one, which it resolves to. If this rejects, the segment is whole and open, but may have
   * its number already.
   *
   * @param bytes with which the next segment begins
   */
  succeed(end: DurableEnd, bytes: Uint8Array): Promise<SegmentFile>
  /** @param end to which a file that was removed is saved under its number */
  close(end: DurableEnd): Promise<void>
}

// O_DSYNC: a write returns when it is durable; a separate fdatasync would be a second job for libuv's pool.
const writing = constants.O_RDWR | constants.O_APPEND | constants.O_DSYNC | constants.O_NOFOLLOW

export class ActiveFile implements SegmentFile {
  readonly #path: string
  #file: FileHandle
  #opened: Stats
  readonly #folder: Stats

  private constructor(path: string, file: FileHandle, opened: Stats, folder: Stats) {
    this.#path = path
    this.#file = file
    this.#opened = opened
    this.#folder = folder
  }

  /** @param file opened to write it */
  static async of(path: string, file: FileHandle): Promise<ActiveFile> {
    return new ActiveFile(path, file, await file.stat(), await stat(dirname(path)))
  }

  write(bytes: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }> {
    return this.#file.write(bytes, offset)
  }

  async size(): Promise<number> {
    return this.#sizeIn(await stat(this.#path))
  }

  // A job for libuv's pool would take a tenth of the throughput of Encrypt.
  writtenSize(): number {
    return this.#sizeIn(statSync(this.#path))
  }

  #sizeIn(found: Stats): number {
    if (!isSame(found, this.#opened)) throw new Error(`${this.#path} is not the file that was opened`)
    return found.size
  }

  async repair(end: DurableEnd, attempted: Uint8Array): Promise<Condition> {
    const found = await openIfThere(this.#path)
    if (found === undefined) {
      await cutAttempt(this.#file, end, attempted)
      return this.#missing(end)
    }
    let isKept = false
    try {
      const stats = await found.stat()
      const isWhole = await cutAttempt(found, end, attempted)
      if (isWhole) {
        // Also a copy: it has all that was written. And a file system that was mounted again needs its files opened again.
        if (!isSame(stats, this.#opened)) {
          await found.chmod(0o600)
          await cutAttempt(this.#file, end, attempted).catch(() => undefined)
        }
        const former = this.#file
        ;[this.#file, this.#opened, isKept] = [found, stats, true]
        await former.close().catch(() => undefined)
        return 'whole'
      }
      if (isSame(stats, this.#opened)) {
        await cutEnd(found, attempted)
        return 'damaged'
      }
    } finally {
      if (!isKept) await found.close()
    }
    throw new Error(`${this.#path} is not the audit file that was opened: move it away, and the gateway resumes`)
  }

  /** A file system that is not mounted, and a folder that was moved, are expected back. */
  async #missing({ head }: DurableEnd): Promise<Condition> {
    if (!isSame(await stat(dirname(this.#path)), this.#folder))
      throw new Error(`the folder of ${this.#path} was replaced: restore it, and the gateway resumes`)
    if (await this.#hasNumber(head.segment)) return 'ended'
    if ((await this.#file.stat()).nlink === 0) return 'removed'
    throw new Error(`${this.#path} was moved: move it back, and the gateway resumes`)
  }

  async succeed(end: DurableEnd, bytes: Uint8Array): Promise<ActiveFile> {
    const file = await createNext(this.#path, bytes)
    try {
      await this.#number(end)
      await rename(nextFile(this.#path), this.#path)
      await syncFolder(dirname(this.#path))
      const active = await ActiveFile.of(this.#path, file)
      await this.#file.close().catch(() => undefined)
      return active
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** The file gets its number; if it was removed, a copy does. No file is replaced. */
  async #number(end: DurableEnd): Promise<void> {
    const { segment } = end.head
    if (await this.#hasNumber(segment)) return
    const full = segmentFile(this.#path, segment)
    if ((await statIfThere(full)) !== undefined) throw new Error(`${full} exists already: move it away`)
    const found = await statIfThere(this.#path)
    if (found !== undefined && isSame(found, this.#opened)) await rename(this.#path, full)
    else await this.#copyTo(full, end)
  }

  async #hasNumber(segment: number): Promise<boolean> {
    const found = await statIfThere(segmentFile(this.#path, segment))
    return found !== undefined && isSame(found, this.#opened)
  }

  async #copyTo(path: string, { size }: DurableEnd): Promise<void> {
    const temporary = `${path}.new`
    await rm(temporary, { force: true })
    {
      await using copy = await open(temporary, 'wx', 0o600)
      for (let offset = 0; offset < size; ) {
        const bytes = await readBytes(this.#file, offset, Math.min(1024 * 1024, size - offset))
        if (bytes.length === 0) throw new Error(`${this.#path} was removed, and only ${offset} bytes of it are left`)
        await copy.writeFile(bytes)
        offset += bytes.length
      }
      await copy.sync()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  }

  async close(end: DurableEnd): Promise<void> {
    try {
      if ((await this.#file.stat()).nlink === 0) await this.#number(end)
    } finally {
      await this.#file.close()
    }
  }
}

/** Removes what follows the durable end, if it is part of what was written last. Resolves to whether the file is whole then. */
async function cutAttempt(file: FileHandle, { size, head }: DurableEnd, attempted: Uint8Array): Promise<boolean> {
  const ending = Buffer.from(`"${head.hash}"}}\n`)
  const start = size - ending.length
  const found = await readBytes(file, Math.max(0, start), ending.length + attempted.length + 1)
  const rest = found.subarray(ending.length)
  const isWhole =
    start >= 0 &&
    ending.equals(found.subarray(0, ending.length)) &&
    rest.length <= attempted.length &&
    rest.equals(attempted.subarray(0, rest.length))
  if (isWhole && rest.length > 0) await file.truncate(size)
  return isWhole
}

/** Removes an attempt from the end of a file to which another process has written, too. */
async function cutEnd(file: FileHandle, attempted: Uint8Array): Promise<void> {
  const start = (await file.stat()).size - attempted.length
  if (start >= 0 && (await readBytes(file, start, attempted.length)).equals(attempted)) await file.truncate(start)
}

/** The name of a new file is durable only after its folder is synced. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path)
  await folder.sync()
}

/** The next segment until it is begun at the path of the journal. */
export function nextFile(path: string): string {
  return `${path}.next`
}

/** Creates it, with these bytes. @param path of the journal */
export async function createNext(path: string, bytes: Uint8Array): Promise<FileHandle> {
  const next = nextFile(path)
  await rm(next, { force: true })
  const file = await open(next, writing | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    for (let offset = 0; offset < bytes.length; ) offset += (await file.write(bytes, offset)).bytesWritten
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Opens a segment to write it; or, with `readOnly`, to read it. */
export function openIfThere(path: string, { readOnly = false } = {}): Promise<FileHandle | undefined> {
  return ifThere(open(path, readOnly ? constants.O_RDONLY : writing))
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  return ifThere(lstat(path))
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino
}
