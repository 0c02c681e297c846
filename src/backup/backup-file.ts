/** A backup as a file: its header, and then what is sealed, as lines: the objects that it needs, their number, and the dump of a storage. */
import { randomBytes } from 'node:crypto'
import { closeSync, constants, createReadStream, existsSync, openSync, readSync } from 'node:fs'
import { link, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { OperatorError } from '../errors.ts'
import { seal, unseal } from './chunks.ts'
import { decodeHeader, type Header, maximumHeader } from './header.ts'
import type { NeededObject } from './needed-objects.ts'

/** Throws OperatorError if something has the path. */
export function checkUnused(file: string): void {
  if (existsSync(file)) throw new OperatorError(`${file} exists: a backup does not replace a file`)
}

/**
 * Writes the file with mode 0600. It gets its name when it is complete and on disk, and replaces nothing: what a crash leaves is called
 * `.NAME.*.partial`. Throws OperatorError.
 *
 * @param content lines, some at a time
 */
export async function writeBackup(
  file: string,
  header: Uint8Array,
  key: Uint8Array,
  content: AsyncIterable<readonly string[]>,
): Promise<void> {
  const folder = dirname(file)
  const partial = join(folder, `.${basename(file)}.${randomBytes(8).toString('hex')}.partial`)
  try {
    await using handle = await open(partial, 'wx', 0o600)
    await handle.writeFile(header)
    await handle.writeFile(seal(key, header, bytesOf(content)))
    await handle.sync()
    await link(partial, file)
    await using parent = await open(folder, constants.O_RDONLY)
    await parent.sync()
  } catch (error) {
    throw unwritable(file, error)
  } finally {
    await rm(partial, { force: true })
  }
}

async function* bytesOf(content: AsyncIterable<readonly string[]>): AsyncGenerator<Buffer> {
  for await (const lines of content) yield Buffer.from(lines.map(line => `${line}\n`).join(''))
}

const reasons: Readonly<Record<string, string>> = {
  EEXIST: 'it exists',
  ENOENT: 'there is no such folder',
  EACCES: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
}

function unwritable(file: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (error instanceof OperatorError || code === undefined || !/^E[A-Z]+$/.test(code)) return error
  return new OperatorError(`cannot write ${file}: ${reasons[code] ?? code}`, { cause: error })
}

export interface BackupFile {
  readonly header: Header
  /** Verifies as it reads. Throws OperatorError; what it has yielded until then is authentic. */
  content(key: Uint8Array): BackupContent
}

export interface Objects {
  readonly needed: readonly NeededObject[]
  /** CKA_IDs: see knownObjects. */
  readonly known: ReadonlySet<string>
}

export interface BackupContent {
  /** To be read first. */
  objects(): Promise<Objects>
  /** Of the storage, some at a time. */
  dump(): AsyncGenerator<readonly string[]>
}

/** Reads the header. Throws OperatorError. */
export function openBackup(file: string): BackupFile {
  const line = headerLine(file)
  return {
    header: decodeHeader(line, file),
    content(key) {
      const sealed = createReadStream(file, { start: line.length, highWaterMark: 1_048_576 })
      return contentOf(linesOf(unseal(key, line, sealed)))
    },
  }
}

/** A line about an object, or that after the last one. */
type ObjectLine = { readonly object: NeededObject } | { readonly known: string } | { readonly objects: number }

function contentOf(lines: AsyncGenerator<readonly string[]>): BackupContent {
  let rest: readonly string[] = []
  return {
    async objects() {
      const needed: NeededObject[] = []
      const known = new Set<string>()
      for (let next = await lines.next(); !next.done; next = await lines.next()) {
        for (const [index, text] of next.value.entries()) {
          const line = JSON.parse(text) as ObjectLine
          if ('object' in line) needed.push(line.object)
          else if ('known' in line) known.add(line.known)
          else {
            rest = next.value.slice(index + 1)
            return { needed, known }
          }
        }
      }
      throw new OperatorError('the backup ends before its list of HSM objects does')
    },
    async *dump() {
      yield rest
      yield* lines
    },
  }
}

/** The sealed lines of a backup, some at a time. */
export async function* contentLines(
  needed: AsyncIterable<readonly NeededObject[]>,
  known: AsyncIterable<readonly string[]>,
  dump: AsyncIterable<readonly string[]>,
): AsyncGenerator<readonly string[]> {
  let objects = 0
  for await (const some of needed) {
    objects += some.length
    yield some.map(object => JSON.stringify({ object } satisfies ObjectLine))
  }
  for await (const some of known) yield some.map(known => JSON.stringify({ known } satisfies ObjectLine))
  yield [JSON.stringify({ objects } satisfies ObjectLine)]
  yield* dump
}

async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let begun: Buffer = Buffer.alloc(0)
  for await (const chunk of bytes) {
    const all = Buffer.concat([begun, chunk])
    const end = all.lastIndexOf(10) + 1
    if (end > 1) yield all.toString('utf8', 0, end - 1).split('\n')
    begun = all.subarray(end)
  }
}

/** With its newline. */
function headerLine(file: string): Buffer {
  const found = Buffer.alloc(maximumHeader)
  let length: number
  try {
    const descriptor = openSync(file, 'r')
    try {
      length = readSync(descriptor, found, 0, maximumHeader, 0)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw new OperatorError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
      exitCode: 2,
    })
  }
  const end = found.subarray(0, length).indexOf(10) + 1
  if (end === 0) throw new OperatorError(`${file} is not a backup of Strongroom`)
  return found.subarray(0, end)
}
