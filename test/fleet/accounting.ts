/** Compares what was committed and answered with the audit journals of a fleet, and the token with the database. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRecord, lineOf } from '../../src/audit/format.ts'
import { type Ended, recordsOf, segmentsOf, strongroom } from '../end-to-end/gateway.ts'
import type { TestDatabase } from '../postgresql.ts'
import type { Fleet, Member } from './fleet.ts'

/** Event ids, but for requests: request ids. */
export interface Unaccounted {
  readonly recordedTwice: readonly string[]
  readonly changesWithoutRecord: readonly string[]
  readonly recordsWithoutChange: readonly string[]
  readonly intentsWithoutRecord: readonly string[]
  readonly answeredWithoutRecord: readonly string[]
}

export const allAccounted: Unaccounted = {
  recordedTwice: [],
  changesWithoutRecord: [],
  recordsWithoutChange: [],
  intentsWithoutRecord: [],
  answeredWithoutRecord: [],
}

/** Makes the database remember the event of each commit from now on: the outbox forgets it once a journal has it. */
export async function noteCommits({ members, database }: Fleet): Promise<void> {
  const known = succeeded(members).map(({ eventID }) => `('${eventID}')`)
  await database.sql(`
    create table test_commits (event_id text primary key);
    create function test_note() returns trigger language plpgsql security definer as
      $$ begin insert into public.test_commits values (new.event_id); return new; end $$;
    create trigger test_commit after insert on outbox for each row execute function test_note();
    insert into test_commits values ${[...known, "('none')"].join()} on conflict do nothing`)
}

function succeeded(members: readonly Member[]) {
  return members
    .flatMap(({ installation }) => recordsOf(installation))
    .filter(({ errorCode }) => errorCode === undefined)
}

/** @param answered ids of requests that changed something. All gateways must have stopped in order. */
export async function unaccounted({ members, database }: Fleet, answered: ReadonlySet<string>): Promise<Unaccounted> {
  const changed = new Set(await eventsIn(database))
  const records = succeeded(members)
  const counts = new Map<string, number>()
  for (const { eventID } of records) counts.set(eventID, (counts.get(eventID) ?? 0) + 1)
  const changing = records.filter(({ readOnly }) => readOnly === false).map(({ eventID }) => eventID)
  const requests = new Set(records.map(({ requestID }) => requestID))
  return {
    recordedTwice: [...counts].flatMap(([eventId, count]) => (count > 1 ? [eventId] : [])),
    changesWithoutRecord: [...changed].filter(event => !counts.has(event)),
    recordsWithoutChange: changing.filter(event => !changed.has(event)),
    intentsWithoutRecord: openIntents(members),
    answeredWithoutRecord: [...answered].filter(id => !requests.has(id)),
  }
}

async function eventsIn(database: TestDatabase): Promise<string[]> {
  const rows = await database.sql("select event_id from test_commits where event_id <> 'none'")
  return rows.map(({ event_id }) => event_id as string)
}

/** The record of an intent may be in the journal of another gateway, which took it over. */
function openIntents(members: readonly Member[]): string[] {
  const files = members.flatMap(({ installation }) => segmentsOf(installation))
  const lines = files.flatMap(file => readFileSync(file, 'utf8').split('\n')).map(text => lineOf(text))
  const recorded = new Set(lines.flatMap(line => (line !== undefined && isRecord(line) ? [line.eventID] : [])))
  const intents = lines.flatMap(line => (line !== undefined && 'intent' in line ? [line.intent.eventID] : []))
  return intents.filter(eventId => !recorded.has(eventId))
}

/** What `audit verify` says of all journals together. All gateways must have stopped. */
export function verified({ members }: Fleet): Promise<Ended> {
  const folders = members.map(({ installation }) => installation.folder)
  const key = join(folders[0]!, 'audit-key.pem')
  return strongroom(['audit', 'verify', '--fleet', ...folders, '--public-key', key])
}
