/** The last use of each access key and XKS credential: not part of its record, as it changes all the time. */
import type { Kysely } from 'kysely'
import type { AccessKeyUse } from '../../model/identities/access-key.ts'
import { credentialName } from '../../model/xks/prefix.ts'
import type { Database } from './database.ts'
import { xksPrefixes } from './xks-prefixes.ts'

export async function readAccessKeyUse(db: Kysely<Database>, id: string): Promise<AccessKeyUse | undefined> {
  const row = await db.selectFrom('access_key_uses').selectAll().where('access_key_id', '=', id).executeTakeFirst()
  return (
    row && {
      accessKeyId: row.access_key_id,
      usedAt: row.used_at,
      region: row.region,
      service: row.service,
      sourceAddress: row.source_address,
    }
  )
}

/** A later use is not replaced: another gateway wrote it. Also forgets those of access keys that are gone. Runs in a transaction of the caller. */
export async function writeAccessKeyUses(db: Kysely<Database>, uses: readonly AccessKeyUse[]): Promise<void> {
  for (const { accessKeyId, usedAt, region, service, sourceAddress } of uses) {
    const row = { used_at: usedAt, region, service, source_address: sourceAddress }
    await db
      .insertInto('access_key_uses')
      .values({ access_key_id: accessKeyId, ...row })
      .onConflict(conflict =>
        conflict.column('access_key_id').doUpdateSet(row).where('access_key_uses.used_at', '<=', usedAt),
      )
      .execute()
  }
  const known = db.selectFrom('access_keys').select('id')
  const gone = db.deleteFrom('access_key_uses').where('access_key_id', 'not in', known)
  const credentials = await credentialNames(db)
  await (credentials.length === 0 ? gone : gone.where('access_key_id', 'not in', credentials)).execute()
}

/** There are few prefixes. */
async function credentialNames(db: Kysely<Database>): Promise<string[]> {
  const prefixes = await xksPrefixes.load(db, { limit: 10_000 })
  return prefixes.flatMap(({ name, credentials }) =>
    credentials.map(({ accessKeyId }) => credentialName(name, accessKeyId)),
  )
}
