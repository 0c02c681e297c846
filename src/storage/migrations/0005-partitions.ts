/** Gives ARNs the partition of their region, where earlier versions took it for `aws`. */
import { type Kysely, sql } from 'kysely'
import type { Migration } from './migration.ts'

/** By the first letters of the region. */
const mistaken = {
  'eusc-de-': 'aws-eusc',
  'us-iso-': 'aws-iso',
  'us-isob-': 'aws-iso-b',
  'eu-isoe-': 'aws-iso-e',
  'us-isof-': 'aws-iso-f',
}

const columns = [
  ['keys', 'arn'],
  ['key_materials', 'key_arn'],
  ['aliases', 'arn'],
  ['aliases', 'target_key_arn'],
  ['destructions', 'key_arn'],
] as const

export const partitions: Migration = async db => {
  for (const [region, partition] of Object.entries(mistaken)) {
    await replace(db, 'keys', 'policy', partition, 'region', `${region}%`)
    for (const [table, column] of columns) {
      await replace(db, table, column, partition, column, `arn:aws:kms:${region}%`)
    }
  }
}

async function replace(
  db: Kysely<unknown>,
  table: string,
  column: string,
  partition: string,
  where: string,
  pattern: string,
): Promise<void> {
  const [t, c, w] = [table, column, where].map(name => sql.ref(name))
  await sql`update ${t} set ${c} = replace(${c}, 'arn:aws:', ${`arn:${partition}:`}) where ${w} like ${pattern}`.execute(
    db,
  )
}
