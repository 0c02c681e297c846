/** The thread of an index: see journal-index.ts. */
import { workerData } from 'node:worker_threads'
import { serveInThread } from '../../threads.ts'
import { IndexFile, type IndexOptions } from './index-file.ts'

await serveInThread(Promise.resolve(new IndexFile(workerData as IndexOptions)))
