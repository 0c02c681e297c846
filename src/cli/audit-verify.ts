import { readFileSync } from 'node:fs'
import { publicKeysIn, TrustedKeys } from '../audit/checkpoint.ts'
import { countText, type Finding, shown } from '../audit/verify/finding.ts'
import { mostFindings, type Verdict, verifyJournal } from '../audit/verify/verify.ts'
import { OperatorError } from '../errors.ts'
import { lineOf } from './finding-line.ts'
import {
  cannotRead,
  filesBelow,
  type JournalOptions,
  openJournal,
  openSources,
  withReadErrors,
} from './journal-files.ts'

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
  await withReadErrors(async () => {
    const { sources, absent } = await openJournal(files, options, opened)
    const checkpoints = await openSources((options.checkpoints ?? []).flatMap(filesBelow), opened)
    const verdict = await verifyJournal(sources, { ...options, absent, keys, checkpoints, patience, report })
    process.stdout.write(options.json ? `${JSON.stringify({ ...verdict, findings }, undefined, 2)}\n` : textOf(verdict))
    process.exitCode = verdict.isWhole ? 0 : 1
  })
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
