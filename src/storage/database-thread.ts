/** The thread of an SQLite database: see threaded-database.ts. */
import { workerData } from 'node:worker_threads'
import { serveInThread } from '../threads.ts'
import { sqlite } from './engines/sqlite.ts'
import { openDatabase } from './kysely-database.ts'
import type { ThreadData } from './threaded-database.ts'

const { path, ...options } = workerData as ThreadData
await serveInThread(openDatabase(sqlite(path, options)))
