/** A file elsewhere: a line for each item, appended and synced. */
import { type FileHandle, open } from 'node:fs/promises'
import type { FileSinkConfig } from '../../config/audit-sinks.ts'
import type { Item, Sink } from './sink.ts'

const newline = 0x0a

export class FileSink implements Sink {
  readonly batchSize = 1024 * 1024
  readonly #path: string

  constructor({ file }: FileSinkConfig) {
    this.#path = file
  }

  /** Opened anew each time, so that the file can be moved away. */
  async deliver(items: readonly Item[]): Promise<void> {
    const file = await open(this.#path, 'a+', 0o600)
    try {
      const { size } = await file.stat()
      // A crash or a full disk may have left a part of a line. It is delivered again, and stays: the file may have other writers.
      const text = `${(await endsWithLine(file, size)) ? '' : '\n'}${items.map(({ text }) => `${text}\n`).join('')}`
      await file.appendFile(text)
      await file.datasync()
    } finally {
      await file.close()
    }
  }
}

async function endsWithLine(file: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return true
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] === newline
}
