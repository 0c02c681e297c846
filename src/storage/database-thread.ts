/** The thread of an SQLite database: see threaded-database.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { sqlite } from './engines/sqlite.ts'
import { openDatabase, type SqlDatabase } from './sql-database.ts'
import type { Answer, Call, ClonedError, ThreadData } from './threaded-database.ts'

const { path, create } = workerData as ThreadData
const port = parentPort!
const opening = openDatabase(sqlite(path, { create }))

port.on('message', async ({ id, method, args }: Call) => {
  port.postMessage(await answer(id, method, args))
  if (method === 'close') port.close()
})
try {
  await opening
  port.postMessage({ id: 0 } satisfies Answer)
} catch (error) {
  port.postMessage({ id: 0, error: cloneable(error) } satisfies Answer)
  port.close()
}

async function answer(id: number, method: keyof SqlDatabase, args: readonly unknown[]): Promise<Answer> {
  try {
    const database = await opening
    return { id, result: await (database[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args) }
  } catch (error) {
    return { id, error: cloneable(error) }
  }
}

function cloneable(thrown: unknown): ClonedError {
  const error: Error & { errcode?: unknown } = thrown instanceof Error ? thrown : new Error(String(thrown))
  return { name: error.name, message: error.message, stack: error.stack, errcode: error.errcode }
}
