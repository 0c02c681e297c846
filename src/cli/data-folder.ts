import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { indexFile, lockFileOf, segmentsAmong } from '../audit/segments.ts'
import { secretFilesOf } from '../config/audit-sinks.ts'
import { configsOfProcesses } from '../config/processes.ts'
import { secretFilesOf as storageSecrets } from '../config/storage.ts'
import { type Config, type Overrides, readConfig } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { checkSecretFile, checkTrustedFile, checkTrustedFolder, createSecretFile } from '../private-files.ts'
import { type ConfigOptions, configFile } from './options.ts'
import { softHsmConfiguration } from './softhsm-configuration.ts'

/** SoftHSM's library in various distributions. */
const libraries = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
]

/** Reasons by errno. */
const unwritable: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
}

export interface DataFolder {
  readonly path: string
  readonly config: Config
}

/**
 * Reads the configuration, and checks that no other user can have written the files of its folder, or read secret files, wherever they are.
 * Throws OperatorError.
 */
export function openDataFolder(options: ConfigOptions, overrides?: Overrides): DataFolder {
  const file = configFile(options)
  const path = dirname(resolve(file))
  const inFolder = (name: string) => join(path, name)
  checkTrustedFolder(path)
  for (const trusted of [file, inFolder('softhsm2.conf')]) checkTrustedFile(trusted)
  checkTokens(inFolder('tokens'))
  const config = readConfig(file, overrides)
  for (const { profile } of Object.values(config.hsms)) if (isAbsolute(profile)) checkTrustedFile(profile)
  for (const secret of [inFolder('credentials'), ...secretFiles(config)]) checkSecretFile(secret)
  return { path, config }
}

/** SoftHSM keeps each token in a folder; `token.object` holds the key that decrypts its objects. */
function checkTokens(tokens: string): void {
  checkTrustedFolder(tokens)
  const entries = existsSync(tokens) ? readdirSync(tokens, { withFileTypes: true }) : []
  for (const { name } of entries.filter(entry => entry.isDirectory())) {
    checkTrustedFolder(join(tokens, name))
    checkSecretFile(join(tokens, name, 'token.object'))
  }
}

/** Absolute paths of the secret files in a configuration, and of those beside them. */
function secretFiles(config: Config): string[] {
  const { storage, audit, listen, hsms } = config
  const pinFiles = Object.values(hsms)
    .flatMap(hsm => [hsm, ...Object.values(hsm.members ?? {})])
    .flatMap(({ pinFile }) => (pinFile === undefined ? [] : [pinFile, securityOfficerPinFile(pinFile)]))
  const journals = configsOfProcesses(config).map(({ audit }) => audit.file)
  const databases = [storage.file, ...journals.flatMap(file => [indexFile(file), lockFileOf(file)])].flatMap(file =>
    file === undefined ? [] : ['', '-wal', '-shm', '-journal'].map(suffix => file + suffix),
  )
  const sinkSecrets = Object.values(audit.sinks).flatMap(secretFilesOf)
  return [
    ...databases,
    ...journals.flatMap(auditFiles),
    ...sinkSecrets,
    ...storageSecrets(storage),
    ...pinFiles,
    ...(listen.tls ? [listen.tls.keyFile] : []),
  ]
}

/** Also those of full segments. */
export function auditFiles(file: string): string[] {
  const folder = dirname(file)
  const names = existsSync(folder) ? readdirSync(folder) : []
  return [...segmentsAmong(names, file).map(({ file }) => file), file]
}

/** Writes the missing files of a data folder on SoftHSM: configuration, SoftHSM's own, PIN. */
export function ensureDataFolder(folder: string): void {
  // Throws before anything is written.
  const softHsm = softHsmConfiguration(resolve(folder))
  try {
    ensureFolder(resolve(folder))
    checkTrustedFolder(folder)
    const tokens = join(folder, 'tokens')
    ensureFolder(tokens)
    // An existing token keeps its PIN: if the file was moved or lost, a new PIN would be useless.
    if (readdirSync(tokens).length === 0) ensurePin(join(folder, 'pin'))
    createSecretFile(join(folder, 'softhsm2.conf'), softHsm)
    createSecretFile(join(folder, 'strongroom.yaml'), configuration(libraries.find(existsSync) ?? libraries[0]!))
  } catch (error) {
    if (error instanceof OperatorError) throw error
    const { code } = error as NodeJS.ErrnoException
    const reason = unwritable[code ?? ''] ?? code
    throw new OperatorError(`cannot create or write the folder ${folder}: ${reason}; choose another with --data`, {
      cause: error,
    })
  }
}

/**
 * Creates a folder and its missing parents. mkdirSync with `recursive` loops forever if an existing folder answers ENOENT when something is
 * created in it, as /proc does.
 */
function ensureFolder(path: string): void {
  if (dirname(path) !== path) ensureFolder(dirname(path))
  const isFolder = () => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  const entry = lstatSync(path, { throwIfNoEntry: false })
  if (entry === undefined) {
    try {
      mkdirSync(path, { mode: 0o700 })
    } catch (error) {
      // Another process may have created it meanwhile.
      if (!isFolder()) throw error
    }
  } else if (!isFolder()) {
    throw new OperatorError(`${path} is ${entry.isSymbolicLink() ? 'a dangling symbolic link' : 'not a folder'}`)
  }
}

/** A random PIN of the security officer, beside the user's: needed to create a token, not by the gateway. */
export function ensureSecurityOfficerPin(pinFile: string): string {
  const file = securityOfficerPinFile(pinFile)
  ensurePin(file)
  return file
}

function securityOfficerPinFile(pinFile: string): string {
  return join(dirname(pinFile), 'so-pin')
}

function ensurePin(file: string): void {
  createSecretFile(file, `${randomBytes(16).toString('hex')}\n`)
}

function configuration(library: string): string {
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
      SOFTHSM2_CONF: ./softhsm2.conf
`
}
