/** A SoftHSM token of its own for one test file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provisionHsm } from '../../src/hsm/provision.ts'
import type { HsmOptions } from '../../src/hsm/registry.ts'
import type { Exceptions } from '../contracts/hsm.ts'

/** Where Debian puts it. */
export const softHsmLibrary = '/usr/lib/softhsm/libsofthsm2.so'

/** An existing native library without PKCS#11: an addon of Node.js. */
export const noPkcs11Library = createRequire(import.meta.url).resolve('pkcs11js/build/Release/pkcs11.node')

const noMlDsa = 'no ML-DSA'
/** What the contract asks and this HSM does not do. */
export const softHsmExceptions: Exceptions = { ML_DSA_44: noMlDsa, ML_DSA_65: noMlDsa, ML_DSA_87: noMlDsa }

export interface SoftHsm {
  readonly directory: string
  readonly options: HsmOptions
  readonly pinFile: string
  readonly securityOfficerPinFile: string
  remove(): void
}

/** The directory and files, without a token in it yet. */
export function emptySoftHsm(): SoftHsm {
  const directory = mkdtempSync(join(tmpdir(), 'strongroom-softhsm-'))
  const configuration = join(directory, 'softhsm2.conf')
  const [pinFile, securityOfficerPinFile] = [join(directory, 'pin'), join(directory, 'so-pin')]
  writeFileSync(configuration, `directories.tokendir = ${directory}\nobjectstore.backend = file\nlog.level = ERROR\n`)
  writeFileSync(pinFile, 'test-user-pin\n')
  writeFileSync(securityOfficerPinFile, 'test-so-pin\n')
  const options: HsmOptions = {
    name: 'test',
    library: softHsmLibrary,
    tokenLabel: 'strongroom-test',
    pinFile,
    profile: 'softhsm2',
    workers: 2,
    maxQueuedCalls: 1000,
    callTimeout: 2000,
    publicKeyOperations: 'hsm',
    allowSoftwareFallback: true,
    strictCustody: false,
    environment: { SOFTHSM2_CONF: configuration },
  }
  const remove = () => rmSync(directory, { recursive: true, force: true })
  return { directory, options, pinFile, securityOfficerPinFile, remove }
}

export function provision({ options, pinFile, securityOfficerPinFile }: SoftHsm): Promise<'created' | 'present'> {
  const { library, profile, environment, tokenLabel = '' } = options
  return provisionHsm({ library, profile, environment, tokenLabel, pinFile, securityOfficerPinFile })
}

export async function createSoftHsm(): Promise<SoftHsm> {
  const softHsm = emptySoftHsm()
  await provision(softHsm)
  return softHsm
}
