/** What is in the memory of another process. Linux lets a process read that of its descendants, and root that of all. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const piece = 2 ** 20

/** Counts the occurrences of patterns of equal length in the writable memory of a process. */
export function occurrences(pid: number, patterns: readonly Uint8Array[]): number[] {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const counts = patterns.map(() => 0)
  // Pieces overlap, so that nothing is missed between two of them; nothing that begins in the overlap is counted twice.
  const buffer = Buffer.alloc(piece + patterns[0]!.length - 1)
  try {
    for (const { start, end } of writableRanges(pid)) {
      for (let at = start; at < end; at += piece) {
        const found = read(memory, buffer.subarray(0, Math.min(buffer.length, end - at)), at)
        patterns.forEach((pattern, index) => {
          for (let i = found.indexOf(pattern); i >= 0 && i < piece; i = found.indexOf(pattern, i + 1)) counts[index]!++
        })
      }
    }
    return counts
  } finally {
    closeSync(memory)
  }
}

function writableRanges(pid: number): { readonly start: number; readonly end: number }[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .map(line => /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line))
    .filter(match => match !== null)
    .map(([, start, end]) => ({ start: Number.parseInt(start!, 16), end: Number.parseInt(end!, 16) }))
}

/** Nothing where the range cannot be read, as those of the kernel, or is gone. */
function read(memory: number, buffer: Buffer, position: number): Buffer {
  try {
    return buffer.subarray(0, readSync(memory, buffer, 0, buffer.length, position))
  } catch {
    return buffer.subarray(0, 0)
  }
}
