/** The last use of each key: not part of its record, as it changes all the time. */
import type { Kysely } from 'kysely'
import type { KeyUse } from '../../model/keys/key-use.ts'
import type { Database } from './database.ts'
import { batches } from './table.ts'

export async function readKeyUse(db: Kysely<Database>, keyArn: string): Promise<KeyUse | undefined> {
  const row = await db.selectFrom('key_uses').selectAll().where('key_arn', '=', keyArn).executeTakeFirst()
  return (
    row && { keyArn, operation: row.operation, usedAt: row.used_at, eventId: row.event_id, requestId: row.request_id }
  )
}

/** A later use is not replaced: another gateway wrote it. Those of keys that are gone are left out. Runs in a transaction of the caller. */
export async function writeKeyUses(db: Kysely<Database>, uses: readonly KeyUse[]): Promise<void> {
  for (const batch of batches(uses)) {
    await db
      .insertInto('key_uses')
      .values(
        batch.map(({ keyArn, operation, usedAt, eventId, requestId }) => ({
          key_arn: keyArn,
          operation,
          used_at: usedAt,
          event_id: eventId,
          request_id: requestId,
        })),
      )
      .onConflict(conflict =>
        conflict
          .column('key_arn')
          .doUpdateSet(({ ref }) => ({
            operation: ref('excluded.operation'),
            used_at: ref('excluded.used_at'),
            event_id: ref('excluded.event_id'),
            request_id: ref('excluded.request_id'),
          }))
          .whereRef('key_uses.used_at', '<=', 'excluded.used_at'),
      )
      .execute()
    const arns = batch.map(({ keyArn }) => keyArn)
    await db
      .deleteFrom('key_uses')
      .where('key_arn', 'in', arns)
      .where('key_arn', 'not in', db.selectFrom('keys').select('arn').where('arn', 'in', arns))
      .execute()
  }
}

/** Runs in a transaction of the caller. */
export async function removeKeyUse(db: Kysely<Database>, keyArn: string): Promise<void> {
  await db.deleteFrom('key_uses').where('key_arn', '=', keyArn).execute()
}
