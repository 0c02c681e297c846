/** Key material apart from its HSM object, which imported material may be without; how and when it became current; automatic rotation. */
import { type Kysely, sql } from 'kysely'
import type { ColumnTypes } from '../engines/engine.ts'
import type { Migration } from './migration.ts'

export const materials: Migration = async (db, types) => {
  await replaceKeyMaterials(db, types)
  for (const table of ['system_keys', 'spare_keys', 'destructions']) {
    await db.schema.alterTable(table).renameColumn('material', 'object').execute()
  }
  await db.schema.alterTable('keys').addColumn('rotation_period', 'integer').execute()
  await db.schema.alterTable('keys').addColumn('next_rotation_date', 'bigint').execute()
}

/** SQLite cannot make a column optional. */
async function replaceKeyMaterials(db: Kysely<unknown>, { text, bytes }: ColumnTypes): Promise<void> {
  await db.schema.alterTable('key_materials').renameTo('former_key_materials').execute()
  await db.schema
    .createTable('key_materials')
    .addColumn('key_arn', text, column => column.notNull())
    .addColumn('position', 'integer', column => column.notNull())
    .addColumn('id', text, column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('rotation_type', text)
    .addColumn('rotation_date', 'bigint')
    .addColumn('imported', 'integer', column => column.notNull())
    .addColumn('valid_to', 'bigint')
    .addColumn('description', text)
    .addColumn('object', text)
    .addColumn('hsm', text)
    .addColumn('custody', text)
    .addColumn('public_key', bytes as 'blob')
    .addColumn('check_value', bytes as 'blob')
    .addPrimaryKeyConstraint('key_materials_of_a_key', ['key_arn', 'position'])
    .addForeignKeyConstraint('key_materials_of_key', ['key_arn'], 'keys', ['arn'], key =>
      key.deferrable().initiallyDeferred(),
    )
    .execute()
  await sql`insert into key_materials
    (key_arn, position, id, created_at, imported, object, hsm, custody, public_key, check_value)
    select key_arn, position, id, created_at, 0, id, hsm, custody, public_key, check_value
    from former_key_materials`.execute(db)
  await db.schema.dropTable('former_key_materials').execute()
}
