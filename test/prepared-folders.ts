/** Where test/end-to-end/gateway.ts keeps data folders to copy: a folder that lives as long as a run of the tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Called by vitest before the test files. @returns what it calls after them */
export default function prepare(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-prepared-'))
  process.env.STRONGROOM_PREPARED_FOLDERS = folder
  return () => rmSync(folder, { recursive: true, force: true })
}
