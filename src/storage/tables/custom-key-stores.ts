/** Custom key stores, and in a separate table what only one of them may have. */
import type { Kysely } from 'kysely'
import {
  type CloudHsmCluster,
  type CustomKeyStore,
  claimsOf,
  type XksProxy,
} from '../../model/keys/custom-key-store.ts'
import type { CustomKeyStoreRow, Database } from './database.ts'
import { type Table, table } from './table.ts'

const rows = table<CustomKeyStore, CustomKeyStoreRow>({
  name: 'custom_key_stores',
  primaryKey: ['id'],
  key: store => [store.id],
  toRow({ cloudHsm, xks, ...store }) {
    const { sealedPassword, ...cluster } = cloudHsm ?? {}
    const { sealedSecret, ...proxy } = xks ?? {}
    return {
      id: store.id,
      account: store.account,
      region: store.region,
      name: store.name,
      type: store.type,
      creation_date: store.creationDate,
      state: store.state,
      connection_error_code: store.connectionErrorCode ?? null,
      cloud_hsm: cloudHsm ? JSON.stringify(cluster) : null,
      xks: xks ? JSON.stringify(proxy) : null,
      sealed_secret: sealedPassword ?? sealedSecret ?? null,
      revision: store.revision,
    }
  },
  fromRow: ({ cloud_hsm, xks, sealed_secret, ...row }) => ({
    id: row.id,
    account: row.account,
    region: row.region,
    name: row.name,
    type: row.type,
    creationDate: row.creation_date,
    state: row.state,
    connectionErrorCode: row.connection_error_code ?? undefined,
    cloudHsm:
      cloud_hsm === null
        ? undefined
        : { ...(JSON.parse(cloud_hsm) as CloudHsmCluster), sealedPassword: sealed_secret ?? undefined },
    xks: xks === null ? undefined : { ...(JSON.parse(xks) as XksProxy), sealedSecret: sealed_secret! },
    revision: row.revision,
  }),
})

export const customKeyStores: Table<CustomKeyStore> = {
  ...rows,

  async insert(db, store) {
    return (await rows.insert(db, store)) && (await claim(db, store))
  },

  async update(db, store) {
    if (!(await rows.update(db, store))) return false
    await release(db, store)
    return claim(db, store)
  },

  /** False, too, if there is a key in it. */
  async remove(db, store) {
    const key = await db
      .selectFrom('keys')
      .select('arn')
      .where('custom_key_store_id', '=', store.id)
      .limit(1)
      .executeTakeFirst()
    if (key !== undefined || !(await rows.remove(db, store))) return false
    await release(db, store)
    return true
  },
}

/** For a new key in it. */
export async function hasStore(db: Kysely<Database>, id: string): Promise<boolean> {
  const found = await db.selectFrom('custom_key_stores').select('id').where('id', '=', id).executeTakeFirst()
  return found !== undefined
}

/** False if another store has one of them: the transaction is then rolled back. */
async function claim(db: Kysely<Database>, store: CustomKeyStore): Promise<boolean> {
  const claims = claimsOf(store).map(({ value }) => ({ value, store_id: store.id }))
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('custom_key_store_claims')
    .values(claims)
    .onConflict(conflict => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === BigInt(claims.length)
}

async function release(db: Kysely<Database>, { id }: CustomKeyStore): Promise<void> {
  await db.deleteFrom('custom_key_store_claims').where('store_id', '=', id).execute()
}
