import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import { OperatorError } from '../errors.ts'
import { configFile, configOption } from './options.ts'

/** The files of a journal, as commands name them. */

export interface JournalOptions {
  readonly data?: string
  readonly config?: string
}

export function withJournalOptions(command: Command): Command {
  return command
    .addArgument(
      new Argument('[files...]', 'segments of a journal, or folders of them (default: the journal of the data folder)'),
    )
    .addOption(new Option('--data <dir>', 'data folder (default: ./data)'))
    .addOption(configOption())
}

/** A journal that a gateway may be writing, or files that are given. */
export type JournalFiles =
  | { readonly active: string; readonly files?: undefined }
  | { readonly active?: undefined; readonly files: readonly string[] }

/** The gateway need not be there, nor anything else of its data folder. Throws OperatorError. */
export async function journalFiles(files: readonly string[], options: JournalOptions): Promise<JournalFiles> {
  const { data = './data', config } = options
  if (files.length === 0) return { active: await activeFile({ data, ...(config !== undefined && { config }) }) }
  if (options.data !== undefined || config !== undefined) {
    throw new OperatorError('name either files or a data folder, not both', { exitCode: 2 })
  }
  return { files: files.flatMap(filesIn) }
}

async function activeFile(options: { readonly data: string; readonly config?: string }): Promise<string> {
  const file = configFile(options)
  if (options.config === undefined && !existsSync(file)) return resolve(options.data, 'audit.jsonl')
  const { readConfig } = await import('../config.ts')
  return readConfig(file).audit.file
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

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
}

/** A mistake: exit code 2. */
export function cannotRead(file: string, error: unknown): OperatorError {
  const { code, message } = error as NodeJS.ErrnoException
  return new OperatorError(`cannot read ${file}: ${reasons[code ?? ''] ?? code ?? message}`, {
    cause: error,
    exitCode: 2,
  })
}

export function parseNumber(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a number from 1 on.')
}
