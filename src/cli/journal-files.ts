import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fullSegments } from '../audit/segments.ts'
import { byJournal, type JournalFiles } from '../audit/verify/fleet.ts'
import { headerOf } from '../audit/verify/segments.ts'
import { Source } from '../audit/verify/source.ts'
import { OperatorError } from '../errors.ts'
import { configFile } from './options.ts'

/** The files of a journal, as commands name them. */

export interface JournalOptions {
  readonly data?: string
  readonly config?: string
}

/** A journal that a gateway may be writing, or files that are given. */
export interface OpenedJournal extends JournalFiles {
  /** The file to which the gateway writes, unless files are given. */
  readonly active?: string
  /** Whether the machine has several gateway processes. */
  readonly isOneOfSeveral?: boolean
}

/**
 * The journals of a data folder, of which each gateway process has one, or those to which the given files belong. A gateway need not be there,
 * nor anything else of its data folder. Throws OperatorError.
 */
export async function openJournals(
  files: readonly string[],
  options: JournalOptions,
  opened: AsyncDisposableStack,
): Promise<readonly OpenedJournal[]> {
  const { data = './data', config } = options
  if (files.length === 0) {
    const actives = await activeFiles({ data, ...(config !== undefined && { config }) })
    const journals: OpenedJournal[] = []
    for (const active of actives) {
      const journal = await openActive(active, opened)
      if (journal) journals.push({ ...journal, isOneOfSeveral: actives.length > 1 })
    }
    if (journals.length === 0) throw noJournal(actives[0]!)
    return journals
  }
  if (options.data !== undefined || config !== undefined) {
    throw new OperatorError('name either files or a data folder, not both', { exitCode: 2 })
  }
  return byJournal(await openSources(files.flatMap(filesIn), opened))
}

/** The active segment is opened first: it may get its number meanwhile. Undefined if there is none. */
async function openActive(active: string, opened: AsyncDisposableStack): Promise<OpenedJournal | undefined> {
  if (!existsSync(dirname(active))) return undefined
  const last = existsSync(active) ? await openSource(active, opened) : undefined
  const header = last && (await headerOf(last))
  const lastNumber = header?.number
  const before = (await fullSegments(active)).filter(({ number }) => number < (lastNumber ?? Number.POSITIVE_INFINITY))
  const files = before.map(({ file }) => file)
  const sources = await openSources(files, opened)
  const journal = header?.journal
  if (last) return { journal, active, sources: [...sources, last] }
  return sources.length === 0 ? undefined : { journal, active, sources, absent: active }
}

function noJournal(active: string): OperatorError {
  return new OperatorError(`there is no audit journal ${active}`, { exitCode: 2 })
}

/** One after another, as there may be thousands. Throws OperatorError. */
export async function openSources(files: readonly string[], opened: AsyncDisposableStack): Promise<Source[]> {
  const sources: Source[] = []
  for (const file of files) sources.push(await openSource(file, opened))
  return sources
}

async function openSource(file: string, opened: AsyncDisposableStack): Promise<Source> {
  try {
    return opened.adopt(await Source.open(file, !/-\d{8,}\./.test(file)), source => source.close())
  } catch (error) {
    throw cannotRead(file, error)
  }
}

/** Those of all processes. */
async function activeFiles(options: { readonly data: string; readonly config?: string }): Promise<readonly string[]> {
  const file = configFile(options)
  if (options.config === undefined && !existsSync(file)) return [resolve(options.data, 'audit.jsonl')]
  const { readConfig } = await import('../config.ts')
  const { configsOfProcesses } = await import('../config/processes.ts')
  return configsOfProcesses(readConfig(file)).map(({ audit }) => audit.file)
}

/** The segments in a folder. */
function filesIn(file: string): readonly string[] {
  try {
    if (!statSync(file).isDirectory()) return [file]
    const found = readdirSync(file)
      .filter(name => /\.jsonl(?:\.gz)?$/.test(name))
      .sort()
      .map(name => join(file, name))
    if (found.length > 0) return found
  } catch (error) {
    throw cannotRead(file, error)
  }
  throw new OperatorError(`no .jsonl file in ${file}`, { exitCode: 2 })
}

/** The files in a folder and its folders, as object storage has them. */
export function filesBelow(file: string): readonly string[] {
  try {
    if (!statSync(file).isDirectory()) return [file]
    const entries = readdirSync(file, { recursive: true, withFileTypes: true })
    return entries.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  } catch (error) {
    throw cannotRead(file, error)
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  ENOTREG: 'it is not a regular file',
}

/** A mistake: exit code 2. */
export function cannotRead(file: string, error: unknown): OperatorError {
  const { code, message } = error as NodeJS.ErrnoException
  return new OperatorError(`cannot read ${file}: ${reasons[code ?? ''] ?? code ?? message}`, {
    cause: error,
    exitCode: 2,
  })
}

/** Runs what reads opened files. Throws OperatorError if one cannot be read. */
export async function withReadErrors(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const { path, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw cannotRead(path ?? 'a file of the journal', error)
  }
}
