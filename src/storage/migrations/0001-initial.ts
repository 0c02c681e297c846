/**
 * Times are milliseconds since the epoch. References are checked at the end of the transaction: a commit may have its changes in any order.
 */
import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { ColumnTypes } from '../engines/engine.ts'
import type { Migration } from './migration.ts'

export const initial: Migration = async (db, types) => {
  await createKeys(db, types)
  await createAliases(db, types)
  await createIdentities(db, types)
  await createHsmObjects(db, types)
  await createChanges(db, types)
}

async function createKeys(db: Kysely<unknown>, { text }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('keys')
    .addColumn('arn', text, column => column.primaryKey())
    .addColumn('id', text, column => column.notNull())
    .addColumn('account', text, column => column.notNull())
    .addColumn('region', text, column => column.notNull())
    .addColumn('spec', text, column => column.notNull())
    .addColumn('usage', text, column => column.notNull())
    .addColumn('origin', text, column => column.notNull())
    .addColumn('state', text, column => column.notNull())
    .addColumn('description', text, column => column.notNull())
    .addColumn('creation_date', 'bigint', column => column.notNull())
    .addColumn('deletion_date', 'bigint')
    .addColumn('tags', text, column => column.notNull())
    .addColumn('policy', text, column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .addUniqueConstraint('keys_in_order', ['account', 'region', 'id'])
    .execute()
  await db.schema
    .createTable('key_materials')
    .addColumn('key_arn', text, column => column.notNull())
    .addColumn('position', 'integer', column => column.notNull())
    .addColumn('id', text, column => column.notNull())
    .addColumn('hsm', text, column => column.notNull())
    .addColumn('custody', text, column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('key_materials_of_key', ['key_arn', 'position'])
    .$call(reference('key_materials_key', 'key_arn', 'keys'))
    .execute()
}

async function createAliases(db: Kysely<unknown>, { text }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('aliases')
    .addColumn('arn', text, column => column.primaryKey())
    .addColumn('name', text, column => column.notNull())
    .addColumn('account', text, column => column.notNull())
    .addColumn('region', text, column => column.notNull())
    .addColumn('target_key_arn', text, column => column.notNull())
    .addColumn('creation_date', 'bigint', column => column.notNull())
    .addColumn('last_updated_date', 'bigint', column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .addUniqueConstraint('aliases_in_order', ['account', 'region', 'name'])
    .$call(reference('aliases_target', 'target_key_arn', 'keys'))
    .execute()
  await db.schema.createIndex('aliases_of_key').on('aliases').columns(['target_key_arn', 'name']).execute()
}

async function createIdentities(db: Kysely<unknown>, { text, bytes }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('principals')
    .addColumn('arn', text, column => column.primaryKey())
    .addColumn('account', text, column => column.notNull())
    .addColumn('user_name', text, column => column.notNull())
    .addColumn('principal_id', text, column => column.notNull())
    .addColumn('policies', text, column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('access_keys')
    .addColumn('id', text, column => column.primaryKey())
    .addColumn('principal_arn', text, column => column.notNull())
    .addColumn('sealed_secret', bytes as 'blob', column => column.notNull())
    .addColumn('session_token_hash', text)
    .addColumn('expires_at', 'bigint')
    .addColumn('revision', 'bigint', column => column.notNull())
    .$call(reference('access_keys_principal', 'principal_arn', 'principals'))
    .execute()
  await db.schema.createIndex('access_keys_of_principal').on('access_keys').column('principal_arn').execute()
}

async function createHsmObjects(db: Kysely<unknown>, { text }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('system_keys')
    .addColumn('hsm', text, column => column.notNull())
    .addColumn('purpose', text, column => column.notNull())
    .addColumn('material', text, column => column.notNull())
    .addColumn('custody', text, column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('system_keys_of_hsm', ['hsm', 'purpose'])
    .execute()
  await db.schema
    .createTable('destructions')
    .addColumn('material', text, column => column.notNull())
    .addColumn('hsm', text, column => column.notNull())
    .addColumn('key_arn', text, column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('destructions_of_material', ['material', 'hsm'])
    .execute()
}

async function createChanges(db: Kysely<unknown>, { text }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('changes')
    .addColumn('sequence', 'bigint', column => column.primaryKey())
    .addColumn('event_id', text, column => column.notNull())
    .addColumn('noun', text, column => column.notNull())
    .addColumn('record_key', text, column => column.notNull())
    .execute()
  await db.schema
    .createTable('sequences')
    .addColumn('name', text, column => column.primaryKey())
    .addColumn('value', 'bigint', column => column.notNull())
    .execute()
  await sql`insert into sequences (name, value) values ('changes', 0)`.execute(db)
}

function reference(name: string, column: string, table: string) {
  return <T extends string, C extends string>(builder: CreateTableBuilder<T, C>) =>
    builder.addForeignKeyConstraint(name, [column as C], table, ['arn'], constraint =>
      constraint.deferrable().initiallyDeferred(),
    )
}
