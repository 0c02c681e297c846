/** Compares the changes in storage with the audit journal. The gateway must be stopped. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Installation, recordsOf } from './gateway.ts'

export interface Unaccounted {
  /** Event ids. */
  readonly changesWithoutRecord: readonly string[]
  readonly recordsWithoutChange: readonly string[]
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
  return {
    changesWithoutRecord: [...changed].filter(event => !recorded.has(event)),
    recordsWithoutChange: changing.filter(event => !changed.has(event)),
  }
}
