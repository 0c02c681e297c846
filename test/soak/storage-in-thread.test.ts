/** The contract of storage, as the gateway opens it: each test starts a thread. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storageContract } from '../contracts/storage.ts'
import { openFile } from '../storage/open.ts'

storageContract('a SQLite file in a thread', true, () => {
  const directory = mkdtempSync(join(tmpdir(), 'storage-'))
  return {
    open: () => openFile(join(directory, 'storage.db'), { create: true }),
    dispose: () => rmSync(directory, { recursive: true }),
  }
})
