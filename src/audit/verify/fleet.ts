/**
 * Verifies the journals of all gateways that share storage: each by itself, and whether they are whole together. docs/audit.md says what that
 * proves.
 */
import { basename } from 'node:path'
import { timeOfEvent } from '../event-id.ts'
import type { Trailer } from '../format.ts'
import { ChangeNumbers, type NumberRange } from './change-numbers.ts'
import { countText, type Report, rangeText, shown } from './finding.ts'
import { linesIn } from './lines.ts'
import { BlockScanner } from './scan.ts'
import { headerOf, type OrderedSegment } from './segments.ts'
import { isDamage, type Source } from './source.ts'
import { changeIn, Statements, type Testimony } from './statements.ts'
import { type Verdict, type VerifyOptions, verifyJournal } from './verify.ts'

export interface FleetOptions extends Omit<VerifyOptions, 'statements' | 'absent' | 'others'> {
  /** Whether nothing of other gateways may be missing. */
  readonly isComplete: boolean
}

/** The files of one journal. */
export interface JournalFiles {
  /** UUID; undefined if no file has a header. */
  readonly journal: string | undefined
  readonly sources: readonly Source[]
  /** The file to which the gateway writes, if it is missing. */
  readonly absent?: string | undefined
}

export interface FleetVerdict {
  readonly isWhole: boolean
  readonly journals: readonly Verdict[]
  /** Numbered changes that are on record, and the number of the last one. */
  readonly changes: { readonly count: number; readonly last: number }
  /** Journals that are named in those that are given, but not given. */
  readonly absent: readonly { readonly journal: string; readonly gateway: string; readonly since: string }[]
  readonly findings: number
}

interface Verified {
  readonly verdict: Verdict
  readonly segments: readonly OrderedSegment[]
  readonly statements: Statements
}

/**
 * Milliseconds for which a change may be without a record in any journal: while its gateway cannot write, and until another one takes over the
 * records of a gateway that does not run.
 */
const patience = 900_000

/** Then the rest is not worth reading. */
const mostRanges = 1000

/** Files by the journal that their header names; those without a header go with files of the same name, but for the number. */
export async function byJournal(sources: readonly Source[]): Promise<readonly JournalFiles[]> {
  const found = new Map<string, Source[]>()
  const stems = new Map<string, string>()
  const others: Source[] = []
  for (const source of sources) {
    const journal = (await headerOf(source))?.journal
    if (journal === undefined) others.push(source)
    else {
      found.set(journal, [...(found.get(journal) ?? []), source])
      stems.set(stemOf(source), journal)
    }
  }
  const [first] = found.keys()
  for (const source of others) {
    const journal = stems.get(stemOf(source)) ?? first
    if (journal === undefined) return [{ journal, sources }]
    found.get(journal)!.push(source)
  }
  return found.size === 0
    ? [{ journal: undefined, sources }]
    : [...found].map(([journal, sources]) => ({ journal, sources }))
}

/** `audit` of `archive/audit-00000001.jsonl.gz`. */
function stemOf({ file }: Source): string {
  return basename(file).replace(/(?:-\d{8,15})?\.[^-]*$/, '')
}

/** Rejects if a file cannot be read. */
export async function verifyFleet(
  journals: readonly JournalFiles[],
  { isComplete, report, ...options }: FleetOptions,
): Promise<FleetVerdict> {
  let findings = 0
  const counted: Report = finding => {
    findings++
    report(finding)
  }
  const changes = new ChangeNumbers()
  const verified: Verified[] = []
  const given = new Set(journals.flatMap(({ journal }) => journal ?? []))
  for (const { journal, sources, absent } of journals) {
    const statements = new Statements(changes)
    const others = new Set([...given].filter(other => other !== journal))
    const own = { ...options, statements, absent, others, report: counted }
    verified.push({ ...(await verifyJournal(sources, own)), statements })
  }
  const testimonies = latestTestimonies(verified)
  const unseen = [...testimonies.values()].filter(({ peer }) => !given.has(peer.journal))
  if (isComplete) {
    for (const testimony of unseen) reportAbsent(testimony, counted)
    for (const one of verified) await checkTestimony(one, testimonies.get(one.verdict.journal ?? ''), counted)
    await checkChanges(changes, verified, counted)
  }
  return {
    isWhole: findings === 0,
    journals: verified.map(({ verdict }) => verdict),
    changes: { count: changes.count, last: changes.last },
    absent: unseen.map(({ peer: { journal, gateway, since } }) => ({ journal, gateway, since })),
    findings,
  }
}

/** By UUID of the journal: what was seen of it last. */
function latestTestimonies(verified: readonly Verified[]): ReadonlyMap<string, Testimony> {
  const latest = new Map<string, Testimony>()
  for (const { statements } of verified) {
    for (const [journal, testimony] of statements.peers)
      if (testimony.peer.block >= (latest.get(journal)?.peer.block ?? 0)) latest.set(journal, testimony)
  }
  return latest
}

function reportAbsent({ file, peer: { journal, gateway, record } }: Testimony, report: Report): void {
  const records = record > 0 ? `, with ${countText(record, 'record')} or more` : ''
  const message = `the journal ${journal} of the gateway ${gateway}${records}, is not among those that are given`
  report({ file, kind: 'missing', message })
}

/** Whether a journal has the block that another gateway has seen of it. */
async function checkTestimony(
  { verdict, segments }: Verified,
  testimony: Testimony | undefined,
  report: Report,
): Promise<void> {
  if (testimony === undefined || testimony.peer.block === 0) return
  const { file, gateway, peer } = testimony
  const by = `the gateway ${gateway}, in ${file}, has seen block ${shown(peer.block)} (record ${shown(peer.record)})`
  const found = await findBlock(segments, peer.segment, peer.block)
  const place = { file: segments.at(-1)?.source.file ?? '', block: peer.block, record: peer.record }
  if (found === undefined) {
    const end = verdict.segments
      ? `the journal ends before block ${shown(peer.block)}, or does not have it`
      : 'it is empty'
    report({ ...place, kind: 'missing', message: `${end}, but ${by}: it was cut off, or is an older copy` })
  } else if (found.hash !== peer.hash) {
    const message = `block ${shown(peer.block)} has another hash than when ${by}: the journal was replaced, and the hashes computed anew`
    report({ ...place, kind: 'replaced', message })
  }
}

async function findBlock(
  segments: readonly OrderedSegment[],
  segment: number,
  block: number,
): Promise<Trailer | undefined> {
  const found = segments.find(({ number }) => number === segment)
  if (found === undefined) return undefined
  for await (const { trailer } of blocksIn(found)) if (trailer.number === block) return trailer
  return undefined
}

/** The numbers of the changes have no gap, and each is of one event. */
async function checkChanges(changes: ChangeNumbers, verified: readonly Verified[], report: Report): Promise<void> {
  const file = 'all journals'
  const missing: NumberRange[] = []
  for (const range of changes.missing()) if (missing.length < mostRanges) missing.push(range)
  const { repeated } = changes
  if (missing.length === 0 && repeated.size === 0) return
  const events = await eventsOf(new Set([...repeated, ...missing.map(({ last }) => last + 1)]), verified)
  const end = Math.max(...verified.map(({ statements }) => statements.lastChangeAt))
  for (const { first, last } of missing) {
    const [next] = events.get(last + 1) ?? []
    // Its record may be on its way.
    if (end - (timeOfEvent(next ?? '') ?? 0) < patience) continue
    const message = `${rangeText('change', first, last)} ${first === last ? 'is' : 'are'} in none of them: a journal is missing, or its end`
    report({ file, kind: 'missing', message })
  }
  for (const number of repeated) {
    const ids = [...(events.get(number) ?? [])]
    // The record of an event may be written twice: see outbox.ts.
    if (ids.length < 2) continue
    const message = `change ${shown(number)} is that of several events, ${ids.join(' and ')}: storage was replaced by an older copy, or one is forged`
    report({ file, kind: 'replaced', message })
  }
}

/** The event IDs of changes, by their numbers. */
async function eventsOf(
  numbers: ReadonlySet<number>,
  verified: readonly Verified[],
): Promise<Map<number, Set<string>>> {
  const found = new Map<number, Set<string>>()
  for (const segment of verified.flatMap(({ segments }) => segments)) {
    for await (const { bytes } of blocksIn(segment)) {
      if (!bytes?.includes('{"change":{')) continue
      for (const line of linesIn(bytes).marks) {
        const change = changeIn(line)
        if (change === undefined || !numbers.has(change.number)) continue
        found.set(change.number, (found.get(change.number) ?? new Set()).add(change.eventID))
      }
    }
  }
  return found
}

/** As far as the file can be decompressed. */
async function* blocksIn({ source, number }: OrderedSegment) {
  if (number === 0) return
  const scanner = new BlockScanner()
  try {
    for await (const chunk of source.bytes()) yield* scanner.scan(chunk)
  } catch (error) {
    if (!isDamage(error)) throw error
  }
}
