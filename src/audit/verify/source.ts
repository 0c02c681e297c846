/** The bytes of a file, which may be compressed with gzip. */
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** Bytes of a read. */
const readSize = 1024 * 1024

/** Bytes in which the first block of a segment, its header, ends. */
const headLength = 16_384

export class Source {
  readonly file: string
  readonly isCompressed: boolean
  /** Of a file that may get another name meanwhile. */
  readonly #handle: FileHandle | undefined

  /**
   * Rejects if the file cannot be read, or is not a regular file: others may have no end.
   *
   * @param isHeld whether the bytes of the file are wanted that has the name now
   */
  static async open(file: string, isHeld: boolean): Promise<Source> {
    // Opening a pipe does not wait for its other end.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      if (!(await handle.stat()).isFile()) throw await notRegular(handle, file)
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
      const isCompressed = bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b
      if (!isHeld) await handle.close()
      return new Source(file, isCompressed, isHeld ? handle : undefined)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  private constructor(file: string, isCompressed: boolean, handle: FileHandle | undefined) {
    this.file = file
    this.isCompressed = isCompressed
    this.#handle = handle
  }

  /**
   * Each chunk is valid until the next one is read.
   *
   * @param start in bytes, 0 for a compressed file
   */
  bytes(start = 0): AsyncIterable<Buffer> {
    const read = this.#read(start, readSize)
    return this.#plain(read)
  }

  #plain(read: AsyncGenerator<Buffer>): AsyncIterable<Buffer> {
    // An error ends the stream, which then rejects.
    return this.isCompressed ? pipeline(read, createGunzip({ chunkSize: readSize }), () => {}) : read
  }

  /** Some kilobytes of it, or all; what can be decompressed. */
  async beginning(): Promise<Buffer> {
    let beginning = Buffer.alloc(0)
    try {
      for await (const chunk of this.#plain(this.#read(0, headLength))) {
        beginning = Buffer.concat([beginning, chunk.subarray(0, headLength)])
        if (beginning.length >= headLength) break
      }
    } catch (error) {
      if (!isDamage(error)) throw error
    }
    return beginning
  }

  /** Whether a path still is that of the file, if it is held. Rejects if nothing is there. */
  async isAt(path: string): Promise<boolean> {
    const [own, other] = await Promise.all([this.#handle?.stat(), stat(path)])
    return own?.ino === other.ino && own.dev === other.dev
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }

  async *#read(start: number, size: number): AsyncGenerator<Buffer> {
    const handle = this.#handle ?? (await open(this.file))
    // A decompressor keeps what it is given.
    const chunk = () => Buffer.allocUnsafe(size)
    const reused = chunk()
    try {
      for (let position = start; ; ) {
        const { buffer, bytesRead } = await handle.read(this.isCompressed ? chunk() : reused, 0, size, position)
        if (bytesRead === 0) return
        position += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } finally {
      if (handle !== this.#handle) await handle.close()
    }
  }
}

/** The error of reading a folder is that of the system. */
async function notRegular(handle: FileHandle, path: string): Promise<Error> {
  const isFolder = (await handle.stat()).isDirectory()
  const [code, message] = isFolder ? ['EISDIR', 'it is a directory'] : ['ENOTREG', 'it is not a regular file']
  return Object.assign(new Error(message), { code, path, syscall: 'open' })
}

/** Whether an error is one of decompressing. */
export function isDamage(error: unknown): error is Error {
  return `${(error as NodeJS.ErrnoException).code}`.startsWith('Z_')
}
