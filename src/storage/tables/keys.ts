/** Keys, and their materials in a separate table. A key is removed with its grants: there may be more than a commit should list. */
import type { Kysely } from 'kysely'
import type { Custody, Key, KeyMaterial, Tag } from '../../model/keys/key.ts'
import type { PageRequest } from '../storage.ts'
import type { Database, KeyRow } from './database.ts'
import { removeGrants } from './grants.ts'
import { type Table, table } from './table.ts'

const keyRows = table<Key, KeyRow>({
  name: 'keys',
  primaryKey: ['arn'],
  identity: key => key.arn,
  toRow: key => ({
    arn: key.arn,
    id: key.id,
    account: key.account,
    region: key.region,
    spec: key.spec,
    usage: key.usage,
    origin: key.origin,
    state: key.state,
    description: key.description,
    creation_date: key.creationDate,
    deletion_date: key.deletionDate ?? null,
    tags: JSON.stringify(key.tags),
    policy: key.policy,
    policy_principals: key.policyPrincipals ? JSON.stringify(key.policyPrincipals) : null,
    custody_fault: key.custodyFault ?? null,
    revision: key.revision,
  }),
  fromRow: row => ({
    arn: row.arn,
    id: row.id,
    account: row.account,
    region: row.region,
    spec: row.spec,
    usage: row.usage,
    origin: row.origin,
    state: row.state,
    description: row.description,
    creationDate: row.creation_date,
    deletionDate: row.deletion_date ?? undefined,
    tags: JSON.parse(row.tags) as Tag[],
    policy: row.policy,
    policyPrincipals:
      row.policy_principals === null ? undefined : (JSON.parse(row.policy_principals) as Key['policyPrincipals']),
    custodyFault: row.custody_fault ?? undefined,
    materials: [],
    revision: row.revision,
  }),
})

export const keys: Table<Key> = {
  identity: keyRows.identity,

  async load(db, page) {
    const loaded: { arn: string; materials: Key['materials'] }[] = await keyRows.load(db, page)
    if (loaded.length === 0) return []
    const materials = await loadMaterials(db, loaded[0]!.arn, loaded.at(-1)!.arn)
    for (const key of loaded) key.materials = materials.get(key.arn)!
    return loaded as Key[]
  },

  async insert(db, key) {
    if (!(await keyRows.insert(db, key))) return false
    await insertMaterials(db, key)
    return true
  },

  async update(db, key) {
    if (!(await keyRows.update(db, key))) return false
    await removeMaterials(db, key)
    await insertMaterials(db, key)
    return true
  },

  async remove(db, key) {
    if (!(await keyRows.remove(db, key))) return false
    await removeMaterials(db, key)
    await removeGrants(db, key.arn)
    return true
  },
}

/** ARNs of one page of keys, in order of key id. */
export async function listKeys(db: Kysely<Database>, page: PageRequest): Promise<string[]> {
  const rows = await db
    .selectFrom('keys')
    .select('arn')
    .where('account', '=', page.account)
    .where('region', '=', page.region)
    .where('id', '>', page.after ?? '')
    .orderBy('id')
    .limit(page.limit)
    .execute()
  return rows.map(row => row.arn)
}

/** Of the keys whose ARNs are between two ARNs, inclusive. */
async function loadMaterials(db: Kysely<Database>, first: string, last: string): Promise<Map<string, KeyMaterial[]>> {
  const rows = await db
    .selectFrom('key_materials')
    .selectAll()
    .where('key_arn', '>=', first)
    .where('key_arn', '<=', last)
    .execute()
  const byKey = new Map<string, KeyMaterial[]>()
  // Nearly all keys of a page have the same value: they share one object, which is cloned once.
  const custodies = new Map<string, Custody>()
  for (const { key_arn, position, id, hsm, custody: text, ...row } of rows) {
    const custody = custodies.get(text) ?? (JSON.parse(text) as Custody)
    custodies.set(text, custody)
    const materials = byKey.get(key_arn) ?? []
    byKey.set(key_arn, materials)
    materials[position] = {
      id,
      hsm,
      custody,
      publicKey: row.public_key ?? undefined,
      checkValue: row.check_value ?? undefined,
      createdAt: row.created_at,
    }
  }
  return byKey
}

async function insertMaterials(db: Kysely<Database>, key: Key): Promise<void> {
  const rows = key.materials.map((material, position) => ({
    key_arn: key.arn,
    position,
    id: material.id,
    hsm: material.hsm,
    custody: JSON.stringify(material.custody),
    public_key: material.publicKey ?? null,
    check_value: material.checkValue ?? null,
    created_at: material.createdAt,
  }))
  await db.insertInto('key_materials').values(rows).execute()
}

async function removeMaterials(db: Kysely<Database>, key: Key): Promise<void> {
  await db.deleteFrom('key_materials').where('key_arn', '=', key.arn).execute()
}
