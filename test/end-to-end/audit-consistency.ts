/** Compares the changes in storage with the audit journal. The gateway must be stopped. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isRecord, lineOf } from '../../src/audit/format.ts'
import { type Installation, recordsOf, segmentsOf } from './gateway.ts'

export interface Unaccounted {
  /** Event ids. */
  readonly changesWithoutRecord: readonly string[]
  readonly recordsWithoutChange: readonly string[]
  /** Open events: the gateway settles them when it starts. */
  readonly intentsWithoutRecord: readonly string[]
  /** Changes by callers, which have an intent before they are made. */
  readonly callsWithoutIntent: readonly string[]
}

export const allAccounted: Unaccounted = {
  changesWithoutRecord: [],
  recordsWithoutChange: [],
  intentsWithoutRecord: [],
  callsWithoutIntent: [],
}

const databaseOf = ({ folder }: Installation) => new DatabaseSync(join(folder, 'strongroom.db'))

/** Makes the database record the event of each commit from now on: the outbox forgets it once the journal has it. */
export function noteCommits(installation: Installation): void {
  using database = databaseOf(installation)
  database.exec(`
    create table test_commits (event_id text primary key);
    create trigger test_commit after insert on outbox begin insert into test_commits values (new.event_id); end`)
  const note = database.prepare('insert into test_commits values (?)')
  for (const { eventID } of recordsOf(installation)) note.run(eventID)
}

/** Throws when an event is on record more than once. */
export function unaccounted(installation: Installation): Unaccounted {
  using database = databaseOf(installation)
  const rows = database.prepare('select event_id from test_commits').all() as { event_id: string }[]
  const changed = new Set(rows.map(({ event_id }) => event_id))
  const succeeded = recordsOf(installation).filter(({ errorCode }) => errorCode === undefined)
  const recorded = new Set(succeeded.map(({ eventID }) => eventID))
  if (recorded.size !== succeeded.length) throw new Error('an event is on record twice')
  const changing = succeeded.filter(({ readOnly }) => readOnly === false).map(({ eventID }) => eventID)
  const { intentsWithoutRecord, callsWithoutIntent } = unintended(installation)
  return {
    changesWithoutRecord: [...changed].filter(event => !recorded.has(event)),
    recordsWithoutChange: changing.filter(event => !changed.has(event)),
    intentsWithoutRecord,
    callsWithoutIntent,
  }
}

function unintended(installation: Installation): Pick<Unaccounted, 'intentsWithoutRecord' | 'callsWithoutIntent'> {
  const open = new Set<string>()
  const callsWithoutIntent: string[] = []
  for (const text of segmentsOf(installation).flatMap(file => readFileSync(file, 'utf8').split('\n'))) {
    const line = lineOf(text)
    if (line !== undefined && 'intent' in line) open.add(line.intent.eventID)
    if (line === undefined || !isRecord(line)) continue
    const wasOpen = open.delete(line.eventID)
    const isChange = line.eventType === 'AwsApiCall' && line.readOnly === false && line.errorCode === undefined
    if (isChange && !wasOpen) callsWithoutIntent.push(line.eventID)
  }
  return { intentsWithoutRecord: [...open], callsWithoutIntent }
}
