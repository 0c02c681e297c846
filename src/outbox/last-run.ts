/** What the last run of a gateway left open, by its journal and storage. */
import { delayed, notCommitted, takenOver } from '../audit/audit.ts'
import { isCopy } from '../audit/copies.ts'
import type { AuditRecord } from '../audit/entry.ts'
import { isRecord, type Line } from '../audit/format.ts'
import { placeOf } from '../audit/position.ts'
import type { JournalPositions, KeptRecord, RegisteredJournal } from '../storage/storage.ts'

/** Resolves to the lines of a journal after a position: see lines-after.ts. */
export type LinesAfter = (position: string) => Promise<AsyncIterable<Line> | undefined>

/** A record as it will be written. */
export interface LateRecord {
  readonly record: AuditRecord
  /** Of its commit. */
  readonly number?: number | undefined
  /** Whether storage keeps it: then others may take it over. */
  readonly isHeld: boolean
}

export interface LastRun {
  /** By event ID. */
  readonly late: ReadonlyMap<string, LateRecord>
  /** Events that storage still keeps, and that the journal has. */
  readonly delivered: readonly string[]
  /** How many of the late records are of changes that were not made. */
  readonly notCommitted: number
  /** Events whose records others have taken over, and that the journal has no record of. */
  readonly takenOver: readonly string[]
  readonly missing: MissingChanges | undefined
}

/** Changes that are on record, and not in storage: it is an older copy than the journal beside it. */
export interface MissingChanges {
  readonly changes: number
  readonly first: AuditRecord
  /** The greatest number of them; undefined if a former version wrote them. */
  readonly last: number | undefined
}

interface Left {
  readonly positions: JournalPositions | undefined
  /** For the journal. */
  readonly held: readonly KeptRecord[]
  /** Event IDs. */
  readonly taken: readonly string[]
  readonly journals: readonly RegisteredJournal[]
}

export async function readLastRun({ positions, held, taken, journals }: Left, after: LinesAfter): Promise<LastRun> {
  const ids = new Set(held.map(({ eventId }) => eventId))
  const { isKnown, intents, recorded } = await eventsSince(positions?.earliest, ids, after)
  const late = new Map<string, LateRecord>()
  const delivered: string[] = []
  for (const row of held) {
    const { eventId, position } = row
    intents.delete(eventId)
    const unanswered = isKnown && (await after(position)) !== undefined
    if (recorded.has(eventId)) delivered.push(eventId)
    else late.set(eventId, lateRecord(row, journals, { unanswered }))
  }
  const others = taken.filter(eventId => intents.delete(eventId))
  for (const [eventId, intent] of intents) late.set(eventId, { record: notCommitted(intent), isHeld: false })
  const missing = await missingChanges(positions?.end, new Set([...ids, ...taken]), after)
  return { late, delivered, notCommitted: intents.size, takenOver: others, missing }
}

/** UUID of the journal that a record is held for; undefined for one of the first versions. */
export function journalOf({ position }: Pick<KeptRecord, 'position'>): string | undefined {
  return placeOf(position)?.journal
}

export function lateRecord(
  { record: text, number, origin }: KeptRecord,
  journals: readonly RegisteredJournal[],
  { unanswered }: { unanswered: boolean },
): LateRecord {
  const kept = JSON.parse(text) as AuditRecord
  const gateway = journals.find(({ id }) => id === origin)?.gateway
  const record = origin === undefined ? delayed(kept, { unanswered }) : takenOver(kept, origin, gateway)
  return { record, number, isHeld: true }
}

interface Events {
  /** Whether the journal has the position: otherwise it was moved away, or truncated. */
  readonly isKnown: boolean
  /** Those without a record. */
  readonly intents: Map<string, AuditRecord>
  /** IDs of those that storage keeps, and that have a record of success. */
  readonly recorded: ReadonlySet<string>
}

/** @param position before which no event was open */
async function eventsSince(
  position: string | undefined,
  held: ReadonlySet<string>,
  linesAfter: LinesAfter,
): Promise<Events> {
  const lines = position === undefined ? undefined : await linesAfter(position)
  const intents = new Map<string, AuditRecord>()
  const recorded = new Set<string>()
  for await (const line of lines ?? []) {
    if ('intent' in line) intents.set(line.intent.eventID, line.intent)
    if (!isRecord(line)) continue
    intents.delete(line.eventID)
    if (line.errorCode === undefined && held.has(line.eventID)) recorded.add(line.eventID)
  }
  return { isKnown: lines !== undefined, intents, recorded }
}

/** @param position up to which storage knew every change */
async function missingChanges(
  position: string | undefined,
  known: ReadonlySet<string>,
  linesAfter: LinesAfter,
): Promise<MissingChanges | undefined> {
  let changes = 0
  let first: AuditRecord | undefined
  let last: number | undefined
  const lines = position === undefined ? undefined : await linesAfter(position)
  for await (const line of lines ?? []) {
    if ('change' in line && !known.has(line.change.eventID)) last = Math.max(last ?? 0, line.change.number)
    if (!isRecord(line) || line.readOnly !== false || line.errorCode !== undefined || known.has(line.eventID)) continue
    if (isCopy(line)) continue
    changes++
    first ??= line
  }
  return first && { changes, first, last }
}
