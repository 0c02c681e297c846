/** Options and output that the commands of the administration API share. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { OperatorError } from '../errors.ts'
import type { Administer } from './administration.ts'
import { type ConfigOptions, configOption, dataOption, parseAccount } from './options.ts'

export interface IdentityOptions extends ConfigOptions {
  readonly account?: string
  readonly json?: boolean
}

export function withDataOptions(command: Command): Command {
  return command.addOption(dataOption()).addOption(configOption())
}

export function withAccountOption(command: Command): Command {
  return withDataOptions(command).option('--account <id>', 'AWS account (default: the only one)', parseAccount)
}

/** Loads what commands need when they run, not for --help. */
export async function administer<T>(options: ConfigOptions, work: (administer: Administer) => Promise<T>): Promise<T> {
  const { withAdministration } = await import('./administration.ts')
  return withAdministration(options, work)
}

export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value]
}

/** The text of a file; `-` is standard input. Throws OperatorError. */
export function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason =
      { ENOENT: 'no such file', EACCES: 'permission denied', EISDIR: 'it is a directory' }[code ?? ''] ?? code
    throw new OperatorError(`cannot read ${file}: ${reason}`, { cause: error, exitCode: 2 })
  }
}

/** As YYYY-MM-DDTHH:MM:SSZ. */
export function shownTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2))
}

/** Lines whose columns are aligned. */
export function printColumns(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
}
