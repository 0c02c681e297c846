/** Who may own, read and change the files of an installation, and how such files are written. */
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
 * What is read by its owner only. A file of root's may be readable by a group, as PostgreSQL has it for ssl_key_file: that is how Kubernetes
 * mounts a secret for a process that is not root.
 */
function forbiddenToSecrets({ uid }: Stats): number {
  return uid === 0 ? 0o027 : 0o077
}

/** Throws OperatorError when others may read or change the file, or could have written it. A missing file passes. */
export function checkSecretFile(path: string): void {
  check(path, 'file', forbiddenToSecrets, 'chmod 600')
}

/** The same for a file that may be read by everyone. */
export function checkTrustedFile(path: string): void {
  check(path, 'file', () => writableByGroupOrOthers, 'chmod go-w')
}

/** The same for a folder in which nobody else may create, replace or remove files. */
export function checkTrustedFolder(path: string): void {
  check(path, 'folder', () => writableByGroupOrOthers, 'chmod go-w')
}

/** @param remedy the command that would take away what the mode gives to others */
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

/** The text of a file; undefined when it is not there. Throws OperatorError when it cannot be read. */
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

/** @param option of chown, where a link itself is meant */
function checkOwner(path: string, { uid }: Stats, option = ''): void {
  const user = process.geteuid!()
  if (uid === user || uid === 0) return
  throw new OperatorError(
    `${path} is owned by user ${uid}, not by user ${user} or root: if you trust its content, run chown ${option}${user} ${shellQuoted(path)}`,
  )
}

/** Whoever can replace one link on the way to a file decides which file it is. */
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

/** In a folder that anyone may write in, anyone can replace a file, unless the sticky bit forbids it. */
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

/** Writes a file for its owner only, whole or not at all, unless there is something of that name. */
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

/** The same, in the place of what is there. */
export function replaceSecretFile(path: string, text: string): void {
  viaTemporaryFile(path, text, temporary => renameSync(temporary, path))
}

function viaTemporaryFile(path: string, text: string, move: (temporary: string) => void): void {
  const temporary = `${path}.${randomBytes(8).toString('hex')}.new`
  try {
    // Exclusively: neither a file nor a symbolic link that somebody has put there is written to.
    writeFileSync(temporary, text, { flag: 'wx', mode: 0o600, flush: true })
    move(temporary)
  } finally {
    rmSync(temporary, { force: true })
  }
}
