/** The log of commits: which records each one changed. It says what to read again; the tables are the truth. */
import type { Kysely, RawBuilder } from 'kysely'
import { decisiveScopeOf, everybody, forbiddingScopeOf } from '../fleet/scopes.ts'
import type { Basis, Change, Noun, Records } from '../storage.ts'
import type { ChangeRow, Database } from './database.ts'
import { batches, type RecordKey, type Table } from './table.ts'
import { keyOf, tables } from './tables.ts'

/** A commit, and the event that caused it: a database that went back in time has another event at the number. */
export interface ChangePosition {
  readonly number: number
  readonly eventId: string | undefined
}

/** A record as it is now. */
export type CurrentRecord = {
  [N in Noun]: { readonly noun: N; readonly key: RecordKey; readonly record: Records[N] | undefined }
}[Noun]

/** What was changed after a position, as it is at another. */
export interface Advance extends ChangePosition {
  readonly records: readonly CurrentRecord[]
}

/** Of a commit. */
export interface LoggedCommit {
  readonly gateway: string
  readonly eventId: string | undefined
  readonly changes: readonly Change[]
}

/** The first statement of a commit: others wait until this one has ended, and it sees all that they did. */
export async function nextNumber(db: Kysely<Database>): Promise<number> {
  const { last } = await db
    .updateTable('change_number')
    .set(({ eb, lit }) => ({ last: eb('last', '+', lit(1)) }))
    .returning('last')
    .executeTakeFirstOrThrow()
  return last
}

export async function logCommit(
  db: Kysely<Database>,
  number: number,
  { gateway, eventId, changes }: LoggedCommit,
  now: RawBuilder<number>,
): Promise<void> {
  const rows = changes.map((change, position) => ({
    number,
    position,
    noun: change.noun,
    record_key: JSON.stringify(keyOf(change.noun, change.record)),
    scope: forbiddingScopeOf(change) ?? null,
    gateway,
    event_id: eventId ?? null,
    committed_at: now,
  }))
  for (const batch of batches(rows)) await db.insertInto('changes').values(batch).execute()
}

/** Whether a change after the basis, and before a number, may forbid what was decided; also if the log no longer tells. */
export async function isOutdated(
  db: Kysely<Database>,
  { number, scopes }: Basis,
  changes: readonly Change[],
  before: number,
): Promise<boolean> {
  if (number === before - 1) return false
  const between = db.selectFrom('changes').where('number', '>', number).where('number', '<', before)
  const { first } = await between.select(({ fn }) => fn.min('number').as('first')).executeTakeFirstOrThrow()
  if (first !== number + 1) return true
  const found = await between
    .select('number')
    .where('scope', 'in', [everybody, ...scopes, ...changes.flatMap(change => decisiveScopeOf(change) ?? [])])
    .limit(1)
    .executeTakeFirst()
  return found !== undefined
}

/** Whether the log has that commit, or begins after it: number 0 is before the first one, and a restored storage has no log of earlier ones. */
export async function isInLog(db: Kysely<Database>, { number, eventId }: ChangePosition): Promise<boolean> {
  if (number === 0) return true
  const found = await db.selectFrom('changes').select('event_id').where('number', '=', number).executeTakeFirst()
  if (found !== undefined) return (found.event_id ?? undefined) === eventId
  if (eventId !== undefined) return false
  const { first } = await db
    .selectFrom('changes')
    .select(({ fn }) => fn.min('number').as('first'))
    .executeTakeFirstOrThrow()
  return first === null || first === number + 1
}

export async function lastChange(db: Kysely<Database>): Promise<ChangePosition> {
  const { last } = await db.selectFrom('change_number').select('last').executeTakeFirstOrThrow()
  const found = await db.selectFrom('changes').select('event_id').where('number', '=', last).executeTakeFirst()
  return { number: last, eventId: found?.event_id ?? undefined }
}

/** Changes that are followed at once. It is as quick to load everything, some records at a time. */
const mostFollowed = 20_000

/**
 * Runs in a transaction of the caller with one snapshot. Undefined if the log does not lead from the position to now: it was pruned, or the
 * database is older than the position; or if that are too many changes. They cannot be followed in parts, as records are read as they are now.
 */
export async function changesAfter(
  db: Kysely<Database>,
  { number, eventId }: ChangePosition,
  most = mostFollowed,
): Promise<Advance | undefined> {
  const last = await lastChange(db)
  if (last.number === number) return last.eventId === eventId ? { ...last, records: [] } : undefined
  if (last.number < number) return undefined
  if (!(await isInLog(db, { number, eventId }))) return undefined
  const following = db.selectFrom('changes').select(['number', 'noun', 'record_key']).where('number', '>', number)
  const rows = await following
    .orderBy('number')
    .limit(most + 1)
    .execute()
  if (rows.length > most || rows[0]?.number !== number + 1) return undefined
  const records: CurrentRecord[] = []
  for (const [noun, keys] of keysByNoun(rows)) {
    const found = new Map((await tables[noun].find(db, keys)).map(record => [keyText(noun, record), record]))
    for (const key of keys) records.push({ noun, key, record: found.get(JSON.stringify(key)) } as CurrentRecord)
  }
  return { ...last, records }
}

function keysByNoun(rows: readonly Pick<ChangeRow, 'noun' | 'record_key'>[]): ReadonlyMap<Noun, readonly RecordKey[]> {
  const keys = new Map<Noun, Set<string>>()
  for (const { noun, record_key } of rows) {
    const known = keys.get(noun as Noun) ?? new Set()
    keys.set(noun as Noun, known.add(record_key))
  }
  const parsed = [...keys].map(
    ([noun, texts]) => [noun, [...texts].map(text => JSON.parse(text) as RecordKey)] as const,
  )
  return new Map(parsed)
}

function keyText<N extends Noun>(noun: N, record: Records[N]): string {
  return JSON.stringify((tables[noun] as Table<Records[N]>).key(record))
}

/** The number of the commit that an event caused. Commits that have begun before, by whomever, have ended. */
export async function numberOf(db: Kysely<Database>, eventId: string): Promise<number | undefined> {
  await awaitCommits(db)
  const found = await db.selectFrom('changes').select('number').where('event_id', '=', eventId).executeTakeFirst()
  return found?.number
}

/** Takes the lock that every commit holds. */
export async function awaitCommits(db: Kysely<Database>): Promise<void> {
  await db
    .updateTable('change_number')
    .set(({ ref }) => ({ last: ref('last') }))
    .execute()
}

/** Forgets commits before a number. */
export async function pruneBefore(db: Kysely<Database>, number: number): Promise<void> {
  await db.deleteFrom('changes').where('number', '<', number).execute()
}

/** Forgets commits before a time of the database's clock, but never the last one. */
export async function pruneChanges(db: Kysely<Database>, before: RawBuilder<number>): Promise<void> {
  const all = db
    .deleteFrom('changes')
    .where('number', '<', ({ selectFrom }) => selectFrom('change_number').select('last'))
  await all.where('committed_at', '<', before).execute()
}

/** The events of these commits that the log does not have, though it goes back that far. */
export async function lostEvents(db: Kysely<Database>, commits: readonly ChangePosition[]): Promise<string[]> {
  const { oldest } = await db
    .selectFrom('changes')
    .select(({ fn }) => fn.min('number').as('oldest'))
    .executeTakeFirstOrThrow()
  const eventIds = commits.flatMap(({ number, eventId }) => (number < (oldest ?? 0) ? [] : (eventId ?? [])))
  const found = new Set<string>()
  for (const batch of batches(eventIds)) {
    const rows = await db.selectFrom('changes').select('event_id').where('event_id', 'in', batch).execute()
    for (const { event_id } of rows) found.add(event_id!)
  }
  return eventIds.filter(eventId => !found.has(eventId))
}
