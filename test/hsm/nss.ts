/** An NSS database for one test file: a software token other than SoftHSM. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { emptySoftHsm, type SoftHsm } from './softhsm.ts'

/** Where the dynamic linker finds it: it is no module of its own, but part of every browser. */
const library = 'libsoftokn3.so'

export function createNss(): SoftHsm {
  const files = emptySoftHsm()
  const options = {
    ...files.options,
    library,
    libraryParameters: `configdir='sql:${files.directory}'`,
    tokenLabel: 'NSS Certificate DB',
    profile: 'nss',
    // Each use of a key reads the database.
    callTimeout: 30_000,
    environment: {},
  }
  const script = join(import.meta.dirname, 'nss-token.ts')
  execFileSync(process.execPath, [script, library, options.libraryParameters, files.pinFile])
  return { ...files, options }
}
