import { EventEmitter } from 'node:events'
import { expect, it, vi } from 'vitest'

import type { Answer, Call } from '../../src/remote-objects.ts'
import { openInThread } from '../../src/storage/threaded-database.ts'

/** What becomes of calls when the thread of a database ends, which no thread does by itself. */

const threads = vi.hoisted(() => [] as EventEmitter[])
vi.mock('node:worker_threads', async original => ({
  ...(await original<object>()),
  Worker: class extends EventEmitter {
    readonly calls: Call[] = []
    constructor() {
      super()
      threads.push(this)
      setImmediate(() => this.emit('message', { id: 0 } satisfies Answer))
    }
    postMessage(call: Call): void {
      this.calls.push(call)
    }
  },
}))

const failed = new Error('out of memory')

it.each<readonly [string, readonly ('error' | 'message' | 'exit')[]]>([
  ['before its last answer has come', ['error', 'message', 'exit']],
  ['after its last answer has come', ['message', 'error', 'exit']],
])('a thread that fails %s delivers that answer, and all other calls fail', async (_, events) => {
  const database = await openInThread({ path: 'storage.db', create: false })
  const answered = database.heldRecords()
  const unanswered = database.heldRecords()
  const unansweredToo = database.check()
  const emitted = { error: failed, message: { id: 1, result: [] } satisfies Answer, exit: 1 }
  for (const event of events) threads.at(-1)!.emit(event, emitted[event])
  expect(await answered).toEqual([])
  await expect(unanswered).rejects.toBe(failed)
  await expect(unansweredToo).rejects.toBe(failed)
  await expect(database.heldRecords()).rejects.toBe(failed)
  await database.close()
})

it('a thread that ends without an error rejects waiting calls', async () => {
  const database = await openInThread({ path: 'storage.db', create: false })
  const waiting = database.check()
  threads.at(-1)!.emit('exit', 0)
  await expect(waiting).rejects.toThrow('the thread has ended')
})
