/**
 * What a run of the tests needs once: the program that test/end-to-end/gateway.ts starts, the folder in which it keeps data folders to
 * copy, and that of the PostgreSQL server, which test/postgresql.ts starts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleProgram } from './bundle.ts'
import { serverFolder } from './postgresql.ts'

/** Called by vitest before the test files. @returns what it calls after them */
export default async function prepare(): Promise<() => Promise<void>> {
  process.env.STRONGROOM_PROGRAM = await bundleProgram()
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-prepared-'))
  process.env.STRONGROOM_PREPARED_FOLDERS = folder
  const postgresql = await serverFolder()
  process.env.STRONGROOM_TEST_POSTGRESQL = postgresql.folder
  return async () => {
    rmSync(folder, { recursive: true, force: true })
    await postgresql.remove()
  }
}
