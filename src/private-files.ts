/** Ownership and permissions of the files of an installation; writes such files. */
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { OperatorError } from './errors.ts'
import { shellQuoted } from './shell-quoted.ts'

/** Bits of a mode (chmod(2)). */
const sticky = 0o1000
const writableByOthers = 0o002
const writableByGroupOrOthers = 0o022

/**
 * Secret files are readable by their owner only. A file owned by root may be group-readable, as PostgreSQL allows for ssl_key_file: this is
 * how Kubernetes mounts a secret for a non-root process.
 */
function forbiddenToSecrets({ uid }: Stats): number {
  return uid === 0 ? 0o027 : 0o077
}

/** Throws OperatorError if other users can read or change the file, or could have written it. A missing file passes. */
export function checkSecretFile(path: string): void {
  check(path, 'file', forbiddenToSecrets, 'chmod 600')
}

/** The same for a world-readable file. */
export function checkTrustedFile(path: string): void {
  check(path, 'file', () => writableByGroupOrOthers, 'chmod go-w')
}

/** The same for a folder in which only the owner may create, replace or remove files. */
export function checkTrustedFolder(path: string): void {
  check(path, 'folder', () => writableByGroupOrOthers, 'chmod go-w')
}

/** @param remedy the command that removes the permissions of others */
function check(path: string, kind: 'file' | 'folder', forbidden: (stats: Stats) => number, remedy: string): void {
  const found = examine(path)
  if (found === undefined) return
  const { target, stats } = found
  if (kind === 'folder' ? !stats.isDirectory() : !stats.isFile()) {
    throw new OperatorError(`${path} is not a ${kind === 'folder' ? 'folder' : 'regular file'}`)
  }
  checkOwner(target, stats)
  if ((stats.mode & forbidden(stats)) !== 0) {
    throw new OperatorError(
      `${target} is accessible to other users (mode ${octal(stats)}): if you trust its content, run ${remedy} ${shellQuoted(target)}`,
    )
  }
  if (kind === 'file') checkParent(dirname(target))
  else readable(path, () => readdirSync(target))
  checkLinks(path)
}

/** The text of a file; undefined if it is missing. Throws OperatorError if it cannot be read. */
export function readIfThere(path: string): string | undefined {
  return readable(path, () => (existsSync(path) ? readFileSync(path, 'utf8') : undefined))
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new OperatorError(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
}

/** @param option of chown, for the link itself */
function checkOwner(path: string, { uid }: Stats, option = ''): void {
  const user = process.geteuid!()
  if (uid === user || uid === 0) return
  throw new OperatorError(
    `${path} is owned by user ${uid}, not by user ${user} or root: if you trust its content, run chown ${option}${user} ${shellQuoted(path)}`,
  )
}

/** Whoever can replace a link on the path controls which file is read. */
function checkLinks(path: string): void {
  let [folder, names] = ['/', resolve(path).split('/')]
  while (names.length > 0) {
    const [name, ...others] = names
    const next = join(folder, name!)
    const stats = lstatSync(next)
    if (!stats.isSymbolicLink()) {
      ;[folder, names] = [next, others]
      continue
    }
    checkOwner(next, stats, '-h ')
    checkParent(folder)
    const target = readlinkSync(next)
    ;[folder, names] = [isAbsolute(target) ? '/' : folder, [...target.split('/'), ...others]]
  }
}

/** In a world-writable folder anyone can replace a file, unless it has the sticky bit. */
function checkParent(folder: string): void {
  const stats = statSync(folder)
  if ((stats.mode & writableByOthers) === 0 || (stats.mode & sticky) !== 0) return
  throw new OperatorError(
    `${folder} is accessible to other users (mode ${octal(stats)}): if you trust its content, run chmod o-w ${shellQuoted(folder)}`,
  )
}

/** Symbolic links are followed. */
function examine(path: string): { target: string; stats: Stats } | undefined {
  try {
    const target = realpathSync(path)
    return { target, stats: statSync(target) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new OperatorError(`${path} cannot be read: ${code}`, { cause: error })
  }
}

function octal({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

/** Atomically creates a file readable by its owner only, unless the path exists. */
export function createSecretFile(path: string, text: string): void {
  if (existsSync(path)) return
  viaTemporaryFile(path, text, temporary => {
    try {
      linkSync(temporary, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  })
}

/** The same, replacing an existing file. */
export function replaceSecretFile(path: string, text: string): void {
  viaTemporaryFile(path, text, temporary => renameSync(temporary, path))
}

function viaTemporaryFile(path: string, text: string, move: (temporary: string) => void): void {
  const temporary = `${path}.${randomBytes(8).toString('hex')}.new`
  try {
    // Exclusively: an existing file or symbolic link is not written to.
    writeFileSync(temporary, text, { flag: 'wx', mode: 0o600, flush: true })
    move(temporary)
  } finally {
    rmSync(temporary, { force: true })
  }
}
