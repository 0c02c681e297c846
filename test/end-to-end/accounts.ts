/** What storage and the audit journal say of the changes, held against one another. The gateway must be stopped. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Installation, recordsOf } from './gateway.ts'

export interface Unaccounted {
  /** Event ids. */
  readonly changesWithoutRecord: readonly string[]
  readonly recordsWithoutChange: readonly string[]
}

/** Throws when an event is on record more than once. */
export function unaccounted(installation: Installation): Unaccounted {
  using database = new DatabaseSync(join(installation.folder, 'strongroom.db'))
  const rows = database.prepare('select distinct event_id from changes').all() as { event_id: string }[]
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
