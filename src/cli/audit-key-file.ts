/** The file `audit-key.pem` of a data folder: the public key that verifies audit checkpoints. Whoever trusts it keeps a copy elsewhere. */
import { join } from 'node:path'
import { OperatorError } from '../errors.ts'
import { readIfThere, replaceSecretFile } from '../private-files.ts'

/** Writes the key if the file has another. Returns the path of the file. Throws OperatorError. */
export function writeAuditKey(folder: string, pem: string): string {
  const file = join(folder, 'audit-key.pem')
  try {
    if (readIfThere(file) !== pem) replaceSecretFile(file, pem)
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`cannot write ${file}: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
  return file
}
