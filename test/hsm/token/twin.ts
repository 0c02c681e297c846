/** Gives a key on a token a twin with the same CKA_ID, or takes it away, as another program would. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { SoftHsm } from '../softhsm.ts'

export function twin(action: 'make' | 'destroy', material: string, { options }: SoftHsm): void {
  const { library, tokenLabel, pinFile, environment } = options
  const script = join(import.meta.dirname, 'twin-process.ts')
  execFileSync(process.execPath, [script, action, material, library, tokenLabel!, pinFile!], { env: environment })
}
