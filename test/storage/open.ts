/** Storage as the gateway opens it, and in this thread. */
import type { Engine } from '../../src/storage/engines/engine.ts'
import { openDatabase } from '../../src/storage/sql-database.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { openInThread } from '../../src/storage/threaded-database.ts'

export async function openFile(
  path: string,
  { create = false, ...options }: { create?: boolean; encryptionSlack?: number } = {},
): Promise<Storage> {
  return openStorage(await openInThread({ path, create }), { now: Date.now(), ...options })
}

export async function openHere(engine: Engine): Promise<Storage> {
  return openStorage(await openDatabase(engine), { now: Date.now() })
}
