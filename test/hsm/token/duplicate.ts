/** Creates an object with the CKA_ID of a key, or destroys it, as another program would. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { SoftHsm } from '../softhsm.ts'

export function duplicate(action: 'create' | 'destroy', object: string, { options }: SoftHsm): void {
  const { library, tokenLabel, pinFile, environment } = options
  const script = join(import.meta.dirname, 'duplicate-process.ts')
  execFileSync(process.execPath, [script, action, object, library, tokenLabel!, pinFile!], { env: environment })
}
