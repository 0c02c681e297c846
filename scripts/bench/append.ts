import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'

/** Of an audit record, roughly. */
const recordLength = 700

/** Milliseconds that durable appends to a file take. */
export function appendTimes(path: string, count: number): number[] {
  const record = Buffer.alloc(recordLength, 'x')
  const file = openSync(path, 'a')
  const times = Array.from({ length: count }, () => {
    const start = performance.now()
    writeSync(file, record)
    fdatasyncSync(file)
    return performance.now() - start
  })
  closeSync(file)
  return times
}
