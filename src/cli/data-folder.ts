import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { OperatorError } from '../errors.ts'

/** Where distributions put SoftHSM's library. */
const libraries = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
]

/** Writes the files of a data folder that runs on SoftHSM, each unless it is there: configuration, SoftHSM's own, PIN. */
export function ensureDataFolder(folder: string): void {
  try {
    mkdirSync(join(folder, 'tokens'), { recursive: true, mode: 0o700 })
    ensurePin(join(folder, 'pin'))
    const softhsm2 = resolve(folder, 'softhsm2.conf')
    writeNew(softhsm2, softhsm2Configuration(resolve(folder, 'tokens')))
    writeNew(join(folder, 'strongroom.yaml'), configuration(libraries.find(existsSync) ?? libraries[0]!, softhsm2))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`the folder ${folder} cannot be written: ${code}`, { cause: error })
  }
}

/** A random PIN of the security officer, beside that of the user: needed to create a token, and never by the gateway. */
export function ensureSecurityOfficerPin(pinFile: string): string {
  const file = join(dirname(pinFile), 'so-pin')
  ensurePin(file)
  return file
}

function ensurePin(file: string): void {
  writeNew(file, `${randomBytes(16).toString('hex')}\n`)
}

function writeNew(file: string, text: string): void {
  if (!existsSync(file)) writeFileSync(file, text, { mode: 0o600, flag: 'wx' })
}

function softhsm2Configuration(tokens: string): string {
  return `directories.tokendir = ${tokens}
objectstore.backend = file
log.level = ERROR
`
}

function configuration(library: string, softhsm2: string): string {
  return `# docs/configuration.yaml explains every key. Paths are relative to this file.
listen:
  host: 127.0.0.1
  port: 7700
storage:
  file: strongroom.db
audit:
  file: audit.jsonl
hsms:
  softhsm:
    profile: softhsm2
    library: ${library}
    token:
      label: strongroom
    pinFile: pin
    environment:
      SOFTHSM2_CONF: ${JSON.stringify(softhsm2)}
regions:
  us-east-1: softhsm
  us-west-2: softhsm
  eu-central-1: softhsm
  eu-west-1: softhsm
`
}
