/** A Kryoptic token of its own for one test file: software of PKCS#11 v3.2, which has ML-DSA. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { emptySoftHsm, provision, type SoftHsm } from './softhsm.ts'

/** Debian 12 has no package of it: CONTRIBUTING.md says how it is built. */
export const kryopticLibrary = process.env.KRYOPTIC_LIBRARY

export async function createKryoptic(library: string): Promise<SoftHsm> {
  const files = emptySoftHsm()
  const configuration = join(files.directory, 'kryoptic.conf')
  const database = join(files.directory, 'token.sql')
  writeFileSync(configuration, `[[slots]]\nslot = 1\ndbtype = "sqlite"\ndbargs = "${database}"\n`)
  const options = {
    ...files.options,
    library,
    profile: 'kryoptic',
    workers: 1,
    environment: { KRYOPTIC_CONF: configuration },
  }
  const kryoptic = { ...files, options }
  await provision(kryoptic)
  return kryoptic
}
