/** What test/end-to-end/gateway.ts runs and copies, prepared once for a run of the tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleProgram } from './bundle.ts'

/** Called by vitest before the test files. @returns what it calls after them */
export default async function prepare(): Promise<() => void> {
  process.env.STRONGROOM_PROGRAM = await bundleProgram()
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-prepared-'))
  process.env.STRONGROOM_PREPARED_FOLDERS = folder
  return () => rmSync(folder, { recursive: true, force: true })
}
