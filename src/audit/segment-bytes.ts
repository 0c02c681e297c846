/** What is read of a segment at one place. */
import type { FileHandle } from 'node:fs/promises'
import { blockEnding, type SegmentHeader, segmentHeaderOf } from './format.ts'

/** Bytes: no header or trailer is longer. */
export const longestLine = 4096

/** Fewer at the end of the file. */
export async function readBytes(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}

export async function readText(file: FileHandle, start: number, length: number): Promise<string> {
  return (await readBytes(file, start, length)).toString()
}

/** Undefined if the file begins with something else. */
export async function headerIn(file: FileHandle): Promise<SegmentHeader | undefined> {
  return segmentHeaderOf(await readText(file, 0, longestLine))
}

/** Whether a block with the hash ends at an offset. */
export async function hasBlockEnd(file: FileHandle, offset: number, hash: string): Promise<boolean> {
  const ending = Buffer.from(blockEnding(hash))
  return offset >= ending.length && ending.equals(await readBytes(file, offset - ending.length, ending.length))
}

/** Undefined if a file does not exist. */
export async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  return found.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
