/**
 * Kills this process when the gateway is gone. A worker ends by itself when its socket closes, but not while a native call hangs:
 * only another thread notices then. Preloaded by child.ts, before any native library.
 */
import { isMainThread, Worker } from 'node:worker_threads'

/** Milliseconds between two checks. */
const interval = 250
/** Milliseconds for the process to end by itself, so that a library can finish writing a file of its token. */
const grace = 1000

/** Runs in a thread without an event loop. A process whose parent is gone gets another parent. */
const watch = `
const { workerData: { parent, interval, grace } } = require('node:worker_threads')
const clock = new Int32Array(new SharedArrayBuffer(4))
while (process.ppid === parent) Atomics.wait(clock, 0, 0, interval)
Atomics.wait(clock, 0, 0, grace)
process.kill(process.pid, 'SIGKILL')
`

// Every thread of the process runs preloaded modules again.
if (isMainThread) {
  const parent = Number(process.argv[3])
  new Worker(watch, { eval: true, execArgv: [], env: {}, workerData: { parent, interval, grace } }).unref()
}
