/**
 * Kills this process when the one that started it is gone. A worker ends by itself as soon as its socket closes, but not while a
 * native call hangs: then only another thread notices. Preloaded by child.ts, so before any library is.
 */
import { isMainThread, Worker } from 'node:worker_threads'

/** Milliseconds between two looks. */
const interval = 250
/** Milliseconds for a process to end by itself: a library that rewrites a file of its token should get to the end of it. */
const grace = 1000

/** Runs in a thread that waits without an event loop. A process whose parent is gone has another parent. */
const watch = `
const { workerData: { parent, interval, grace } } = require('node:worker_threads')
const clock = new Int32Array(new SharedArrayBuffer(4))
while (process.ppid === parent) Atomics.wait(clock, 0, 0, interval)
Atomics.wait(clock, 0, 0, grace)
process.kill(process.pid, 'SIGKILL')
`

// What a preloaded module does, every thread of the process does again.
if (isMainThread) {
  const parent = Number(process.argv[3])
  new Worker(watch, { eval: true, execArgv: [], env: {}, workerData: { parent, interval, grace } }).unref()
}
