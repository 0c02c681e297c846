/** What a dump of a storage holds: a backup is sealed from one, and a copy to another engine is made of one. */
import type { Database } from '../tables/database.ts'

interface DumpedTable {
  readonly name: keyof Database & string
  /** The columns that identify a row, and by which rows are ordered. Of a table with a single row: any that is never null, or none. */
  readonly key: readonly string[]
}

/** Not dumped: what tells of the present database, not of what it holds. */
type NotDumped =
  /** Followers that do not find their position in the log load everything again. */
  | 'changes'
  /** Written only to see whether the database can be written. */
  | 'write_check'

/** By the columns of its primary key; empty for a table of one row. A table comes after those to which it refers. */
const keys: { readonly [T in Exclude<keyof Database, NotDumped>]: readonly (keyof Database[T] & string)[] } = {
  keys: ['arn'],
  key_materials: ['key_arn', 'position'],
  aliases: ['arn'],
  grants: ['key_arn', 'id'],
  accounts: ['id'],
  managed_policies: ['arn'],
  identity_groups: ['arn'],
  oidc_providers: ['arn'],
  principals: ['arn'],
  services: ['name'],
  access_keys: ['id'],
  access_key_uses: ['access_key_id'],
  key_uses: ['key_arn'],
  encryption_counts: ['material'],
  usage_tracking: [],
  encryption_tracking: ['gateway'],
  system_keys: ['hsm', 'purpose'],
  spare_keys: ['object'],
  wrapping_keys: ['key_arn', 'spec', 'day'],
  custom_key_stores: ['id'],
  custom_key_store_claims: ['value'],
  destructions: ['object', 'hsm'],
  xks_prefixes: ['name'],
  xks_keys: ['prefix', 'id'],
  // Audit records that a journal may not have yet, and how far each journal was: a gateway that starts compares both with its journal.
  outbox: ['event_id'],
  taken_records: ['event_id'],
  journals: ['id'],
  clock: ['name'],
  // Positions of commits go on from here, and whoever had a lease has a journal.
  change_number: [],
  gateways: ['name'],
  // No fence is given out again.
  job_lease: [],
}

export const dumpedTables = Object.entries(keys).map(([name, key]) => ({ name, key })) as readonly DumpedTable[]
