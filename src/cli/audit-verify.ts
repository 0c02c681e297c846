import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { publicKeysIn, TrustedKeys } from '../audit/checkpoint.ts'
import { fullSegments } from '../audit/segments.ts'
import { countText, type Finding, shown } from '../audit/verify/finding.ts'
import { headerOf } from '../audit/verify/segments.ts'
import { Source } from '../audit/verify/source.ts'
import { mostFindings, type Verdict, verifyJournal } from '../audit/verify/verify.ts'
import { OperatorError } from '../errors.ts'
import { cannotRead, type JournalFiles, type JournalOptions, journalFiles } from './journal-files.ts'
import { printable } from './printable.ts'

export interface AuditVerifyOptions extends JournalOptions {
  readonly publicKey: readonly string[]
  readonly checkpoints?: readonly string[]
  readonly journal?: string
  readonly from?: number
  readonly to?: number
  /** Milliseconds. */
  readonly maxUnsigned: number
  readonly json?: boolean
}

/** Milliseconds: a gateway writes a block within. */
const patience = 1000

/** Prints what is proven, and sets the exit code: 1 if the journal is not whole. */
export async function auditVerify(files: readonly string[], options: AuditVerifyOptions): Promise<void> {
  if (options.from !== undefined && options.to !== undefined && options.from > options.to)
    throw new OperatorError('--from is after --to', { exitCode: 2 })
  const keys = new TrustedKeys(options.publicKey.flatMap(keysOf))
  await using opened = new AsyncDisposableStack()
  const findings: Finding[] = []
  const report = (finding: Finding) => {
    if (options.json) findings.push(finding)
    else process.stdout.write(`${lineOf(finding)}\n`)
  }
  try {
    const { sources, absent } = await openJournal(await journalFiles(files, options), opened)
    const checkpoints = await Promise.all((options.checkpoints ?? []).map(file => openSource(file, opened)))
    const verdict = await verifyJournal(sources, { ...options, absent, keys, checkpoints, patience, report })
    process.stdout.write(options.json ? `${JSON.stringify({ ...verdict, findings }, undefined, 2)}\n` : textOf(verdict))
    process.exitCode = verdict.isWhole ? 0 : 1
  } catch (error) {
    const { path, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw cannotRead(path ?? 'a file', error)
  }
}

/** DER SubjectPublicKeyInfo of each key in a PEM file. */
function keysOf(file: string): readonly Uint8Array[] {
  let pem: string
  try {
    pem = readFileSync(file, 'latin1')
  } catch (error) {
    throw cannotRead(file, error)
  }
  try {
    return publicKeysIn(pem)
  } catch (error) {
    throw new OperatorError(`${file} ${(error as Error).message}`, { cause: error, exitCode: 2 })
  }
}

/** The active segment is opened first: it may get its number meanwhile. */
async function openJournal(
  { active, files }: JournalFiles,
  opened: AsyncDisposableStack,
): Promise<{ readonly sources: Source[]; readonly absent?: string }> {
  if (files) return { sources: await Promise.all(files.map(file => openSource(file, opened))) }
  if (!existsSync(dirname(active))) throw noJournal(active)
  const last = existsSync(active) ? await openSource(active, opened) : undefined
  const lastNumber = last && (await headerOf(last))?.number
  const before = (await fullSegments(active)).filter(({ number }) => number < (lastNumber ?? Number.POSITIVE_INFINITY))
  const sources = await Promise.all(before.map(({ file }) => openSource(file, opened)))
  if (last) return { sources: [...sources, last] }
  if (sources.length === 0) throw noJournal(active)
  return { sources, absent: active }
}

function noJournal(active: string): OperatorError {
  return new OperatorError(`there is no audit journal ${active}`, { exitCode: 2 })
}

async function openSource(file: string, opened: AsyncDisposableStack): Promise<Source> {
  try {
    return opened.adopt(await Source.open(file, !/-\d{8,}\./.test(file)), source => source.close())
  } catch (error) {
    throw cannotRead(file, error)
  }
}

function lineOf({ file, offset, block, record, message }: Finding): string {
  const places = [
    offset !== undefined && `byte ${offset}`,
    block !== undefined && `block ${block}`,
    record !== undefined && `record ${record}`,
  ].filter(place => place !== false)
  return printable([file, ...(places.length > 0 ? [places.join(', ')] : []), message].join(': '))
}

function textOf({ journal, segments, blocks, records, signed, unsigned, findings, isWhole }: Verdict): string {
  const range = segments ? `segments ${segments.first} to ${segments.last}` : 'no segments'
  const lines = [
    `journal ${journal ?? 'unknown'}, ${range}: ${countText(records, 'record')} in ${countText(blocks, 'block')}`,
    ...signed.map(
      ({ firstRecord, lastRecord, time }) =>
        `signed: records ${shown(firstRecord)} to ${shown(lastRecord)}, by the checkpoint of ${time}`,
    ),
    ...(unsigned > 0 ? [`chained, not signed: the last ${countText(unsigned, 'record')}`] : []),
    ...(findings >= mostFindings ? [`stopped after ${countText(findings, 'finding')}: the rest was not read`] : []),
    isWhole ? 'whole' : `not whole: ${countText(findings, 'finding')}`,
  ]
  return `${lines.join('\n')}\n`
}
