import { readFileSync } from 'node:fs'
import { publicKeysIn, TrustedKeys } from '../audit/checkpoint.ts'
import { countText, type Finding, shown } from '../audit/verify/finding.ts'
import { type FleetVerdict, verifyFleet } from '../audit/verify/fleet.ts'
import { mostFindings, type Verdict } from '../audit/verify/verify.ts'
import { OperatorError } from '../errors.ts'
import { lineOf } from './finding-line.ts'
import {
  cannotRead,
  filesBelow,
  type JournalOptions,
  type OpenedJournal,
  openJournals,
  openSources,
  withReadErrors,
} from './journal-files.ts'
import { printable } from './printable.ts'

export interface AuditVerifyOptions extends JournalOptions {
  readonly publicKey: readonly string[]
  readonly checkpoints?: readonly string[]
  readonly journal?: string
  readonly from?: number
  readonly to?: number
  /** Milliseconds. */
  readonly maxUnsigned: number
  /** Whether all gateways must be accounted for; default: if there are several journals. */
  readonly fleet?: boolean
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
    const journals = await journalsOf(files, options, opened)
    const checkpoints = await openSources((options.checkpoints ?? []).flatMap(filesBelow), opened)
    const isFleet = options.fleet ?? (journals.length > 1 || journals.some(({ isOneOfSeveral }) => isOneOfSeveral))
    const verdict = await verifyFleet(journals, {
      ...options,
      isComplete: isFleet,
      keys,
      checkpoints,
      patience,
      report,
    })
    if (options.json) {
      const [own] = verdict.journals
      const result = isFleet ? { ...verdict, findings } : { ...own, absent: verdict.absent, findings }
      process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`)
    } else process.stdout.write(`${linesOf(verdict, isFleet).join('\n')}\n`)
    process.exitCode = verdict.isWhole ? 0 : 1
  })
}

async function journalsOf(
  files: readonly string[],
  options: AuditVerifyOptions,
  opened: AsyncDisposableStack,
): Promise<readonly OpenedJournal[]> {
  const { journal, from, to, fleet } = options
  const journals = await openJournals(files, options, opened)
  if (journal !== undefined) return [{ ...journals[0]!, sources: journals.flatMap(({ sources }) => sources), journal }]
  if ((from !== undefined || to !== undefined) && (fleet || journals.length > 1))
    throw new OperatorError('--from and --to need the files of one journal, and no --fleet', { exitCode: 2 })
  return journals
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

function linesOf({ journals, changes, absent, findings, isWhole }: FleetVerdict, isFleet: boolean): readonly string[] {
  const others = isFleet
    ? [`together: ${countText(changes.count, 'change')} on record, the last one is number ${shown(changes.last)}`]
    : absent.map(({ journal, gateway }) => printable(`not verified: the journal ${journal} of the gateway ${gateway}`))
  return [
    ...journals.flatMap(verdict => journalLines(verdict, isFleet)),
    ...others,
    isWhole ? 'whole' : `not whole: ${countText(findings, 'finding')}`,
  ]
}

function journalLines(verdict: Verdict, isFleet: boolean): readonly string[] {
  const { journal, gateway, segments, blocks, records, signed, unsigned, findings } = verdict
  const range = segments ? `segments ${segments.first} to ${segments.last}` : 'no segments'
  const of = isFleet && gateway !== undefined ? ` of the gateway ${printable(gateway)}` : ''
  return [
    `journal ${journal ?? 'unknown'}${of}, ${range}: ${countText(records, 'record')} in ${countText(blocks, 'block')}`,
    ...signed.map(
      ({ firstRecord, lastRecord, time }) =>
        `signed: records ${shown(firstRecord)} to ${shown(lastRecord)}, by the checkpoint of ${time}`,
    ),
    ...(unsigned > 0 ? [`chained, not signed: the last ${countText(unsigned, 'record')}`] : []),
    ...(findings >= mostFindings ? [`stopped after ${countText(findings, 'finding')}: the rest was not read`] : []),
  ]
}
