import type { Kysely } from 'kysely'
import type { ColumnTypes } from '../engines/engine.ts'

/** One step of the schema. Once released it never changes. */
export type Migration = (db: Kysely<unknown>, types: ColumnTypes) => Promise<void>
