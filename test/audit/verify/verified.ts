import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { TrustedKeys } from '../../../src/audit/checkpoint.ts'
import { ChangeNumbers } from '../../../src/audit/verify/change-numbers.ts'
import type { Finding } from '../../../src/audit/verify/finding.ts'
import { Source } from '../../../src/audit/verify/source.ts'
import { Statements } from '../../../src/audit/verify/statements.ts'
import { type Verdict, type VerifyOptions, verifyJournal } from '../../../src/audit/verify/verify.ts'
import type { SignerKey } from './signed-journal.ts'

export type Files = Readonly<Record<string, Uint8Array>>

export interface Verified extends Verdict {
  /** Without the folder of their file. */
  readonly found: readonly Finding[]
}

type Options = Partial<Omit<VerifyOptions, 'checkpoints' | 'report'>> & { readonly outside?: Files }

/** Writes files into a folder of their own, and verifies them. */
export async function verified(files: Files, keys: readonly SignerKey[], options: Options = {}): Promise<Verified> {
  const { outside = {}, ...rest } = options
  const folder = mkdtempSync(join(tmpdir(), 'verify-'))
  await using opened = new AsyncDisposableStack()
  opened.defer(() => rmSync(folder, { recursive: true }))
  const open = async (files: Files) => {
    const sources: Source[] = []
    for (const [name, bytes] of Object.entries(files)) {
      writeFileSync(join(folder, name), bytes)
      sources.push(opened.adopt(await Source.open(join(folder, name), true), source => source.close()))
    }
    return sources
  }
  const found: Finding[] = []
  const { verdict } = await verifyJournal(await open(files), {
    keys: new TrustedKeys(keys.map(({ publicKey }) => publicKey)),
    checkpoints: await open(outside),
    statements: new Statements(new ChangeNumbers()),
    maxUnsigned: 3_600_000,
    patience: 0,
    report: finding => found.push({ ...finding, file: basename(finding.file) }),
    ...rest,
  })
  return { ...verdict, found }
}

/** The files of a journal, under the names that a gateway gives them. */
export function named(segments: readonly Uint8Array[]): Files {
  const last = segments.length - 1
  const nameOf = (index: number) =>
    index === last ? 'audit.jsonl' : `audit-${String(index + 1).padStart(8, '0')}.jsonl`
  return Object.fromEntries(segments.map((bytes, index) => [nameOf(index), bytes]))
}
