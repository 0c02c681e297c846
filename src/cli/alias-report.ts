/** `strongroom rotate --report`: the keys of an alias, and who still uses the former ones. */
import { existsSync } from 'node:fs'
import { type KeyUseReport, type KeyUses, keyUses } from '../audit/key-uses.ts'
import { configsOfProcesses } from '../config/processes.ts'
import { OperatorError } from '../errors.ts'
import type { AliasKey } from '../operations/administration/list-alias-keys.ts'
import { openDataFolder } from './data-folder.ts'
import { print, printColumns, printJson, shownTime } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'
import { printable } from './printable.ts'

export interface AliasKeys {
  readonly aliasArn: string
  readonly keys: readonly AliasKey[]
}

/** A key with the calls that used it since it was replaced. */
interface ReportedKey extends AliasKey {
  readonly uses?: readonly KeyUses[]
}

export async function reportAlias(
  { aliasArn, keys }: AliasKeys,
  options: ConfigOptions & { readonly json?: boolean },
): Promise<void> {
  const { config } = openDataFolder(options)
  const { file } = config.audit
  // A process that never ran has none.
  const others = configsOfProcesses(config).flatMap(({ audit }) => (audit.file !== file ? audit.file : []))
  const files = [file, ...others.filter(other => existsSync(other))]
  const former = keys.flatMap(({ arn, until }) => (until === undefined ? [] : ([[arn, until]] as const)))
  const { begin, uses } = await readUses(files, new Map(former))
  const reported = keys.map((key): ReportedKey => {
    return { ...key, ...(key.role === 'former' && { uses: uses.filter(({ keyArn }) => keyArn === key.arn) }) }
  })
  if (options.json) return printJson({ aliasArn, auditFile: file, auditBegin: begin, keys: reported })
  printColumns(reported.flatMap(key => linesOf(key, begin)))
  if (former.length > 0)
    print(
      `The calls are those on record in ${files.join(', ')} and the segments beside ${files.length > 1 ? 'them' : 'it'}.`,
    )
}

async function readUses(files: readonly string[], since: ReadonlyMap<string, number>): Promise<KeyUseReport> {
  try {
    return await keyUses(files, since)
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot read the audit journal ${path ?? files[0]}: ${code}`, { cause: error })
  }
}

function linesOf(key: ReportedKey, begin = 0): readonly (readonly string[])[] {
  const { arn, role, state, until, deletionDate, uses = [] } = key
  const deletion = deletionDate === undefined ? '' : ` (to be deleted on ${shownTime(deletionDate)})`
  const replaced = until === undefined ? '' : `, replaced ${shownTime(until)}`
  const line = [role, arn, `${state ?? 'deleted'}${deletion}${replaced}${lastUseOf(key)}`]
  if (until === undefined || state === undefined) return [line]
  if (uses.length === 0) return [line, ['', `  no calls since ${shownTime(Math.max(until, begin))}`, '']]
  return [line, ...uses.map(lineOf)]
}

function lastUseOf({ lastUse, trackedSince, creationDate }: ReportedKey): string {
  if (lastUse) return `, last used ${shownTime(lastUse.usedAt)} (${lastUse.operation})`
  if (trackedSince === undefined) return ''
  return trackedSince === creationDate ? ', never used' : `, not used since ${shownTime(trackedSince)}`
}

function lineOf({ caller, operation, succeeded, refused, lastAt }: KeyUses): readonly string[] {
  const counts = [...(succeeded > 0 ? [`${succeeded} ok`] : []), ...(refused > 0 ? [`${refused} refused`] : [])]
  return ['', `  ${printable(caller)}`, `${operation}: ${counts.join(', ')}, last ${shownTime(lastAt)}`]
}
