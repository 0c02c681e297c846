/** Renames the custody faults. */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

const renamed = { duplicated: 'duplicate', swapped: 'wrong_key', exposed: 'wrong_attributes' }

export const custodyFaults: Migration = async db => {
  for (const [before, after] of Object.entries(renamed)) {
    await sql`update keys set custody_fault = ${after} where custody_fault = ${before}`.execute(db)
  }
}
