/** Keys, and their materials in a separate table. A key is removed with its grants: there may be more than a commit should list. */
import type { Kysely } from 'kysely'
import { partitionOf } from '../../model/arn.ts'
import {
  type Custody,
  type Key,
  type KeyMaterial,
  type KeyObject,
  materialsOf,
  type Tag,
} from '../../model/keys/key.ts'
import type { PageRequest } from '../storage.ts'
import { hasStore } from './custom-key-stores.ts'
import type { Database, KeyRow, MaterialRow } from './database.ts'
import { removeEncryptionCounts } from './encryption-counts.ts'
import { removeGrants } from './grants.ts'
import { removeKeyUse } from './key-uses.ts'
import { batches, type Table, table } from './table.ts'

const keyRows = table<Key, KeyRow>({
  name: 'keys',
  primaryKey: ['arn'],
  key: key => [key.arn],
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
    pending_window: key.pendingWindowInDays ?? null,
    multi_region: key.multiRegion ?? null,
    custom_key_store_id: key.customKeyStoreId ?? null,
    xks_key_id: key.xksKeyId ?? null,
    tags: JSON.stringify(key.tags),
    policy: key.policy,
    policy_principals: key.policyPrincipals ? JSON.stringify(key.policyPrincipals) : null,
    custody_fault: key.custodyFault ?? null,
    rotation_period: key.automaticRotation?.periodInDays ?? null,
    next_rotation_date: key.automaticRotation?.nextDate ?? null,
    service: key.manager?.service ?? null,
    owned: key.manager?.owned ? 1 : 0,
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
    pendingWindowInDays: row.pending_window ?? undefined,
    multiRegion: row.multi_region ?? undefined,
    customKeyStoreId: row.custom_key_store_id ?? undefined,
    xksKeyId: row.xks_key_id ?? undefined,
    tags: JSON.parse(row.tags) as Tag[],
    policy: row.policy,
    policyPrincipals:
      row.policy_principals === null ? undefined : (JSON.parse(row.policy_principals) as Key['policyPrincipals']),
    custodyFault: row.custody_fault ?? undefined,
    materials: [],
    pendingMaterial: undefined,
    automaticRotation:
      row.rotation_period === null
        ? undefined
        : { periodInDays: row.rotation_period, nextDate: row.next_rotation_date! },
    manager: row.service === null ? undefined : { service: row.service, owned: row.owned === 1 },
    revision: row.revision,
  }),
})

export const keys: Table<Key> = {
  key: keyRows.key,

  async load(db, page) {
    const loaded = await keyRows.load(db, page)
    if (loaded.length === 0) return []
    const rows = await materialRows(db)
      .where('key_arn', '>=', loaded[0]!.arn)
      .where('key_arn', '<=', loaded.at(-1)!.arn)
      .execute()
    return withMaterials(loaded, rows)
  },

  async find(db, keys) {
    const found = await keyRows.find(db, keys)
    const rows: MaterialRow[] = []
    for (const batch of batches(found)) {
      const arns = batch.map(({ arn }) => arn)
      rows.push(...(await materialRows(db).where('key_arn', 'in', arns).execute()))
    }
    return withMaterials(found, rows)
  },

  async insert(db, key) {
    if (key.customKeyStoreId !== undefined && !(await hasStore(db, key.customKeyStoreId))) return false
    if (key.multiRegion === 'PRIMARY' && (await hasPrimary(db, key))) return false
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
    await removeEncryptionCounts(
      db,
      materialsOf(key).map(({ id }) => id),
    )
    await removeKeyUse(db, key.arn)
    await removeGrants(db, key.arn)
    return true
  },
}

/** For a new primary key: another request may have created one with the same id in another region. */
async function hasPrimary(db: Kysely<Database>, { id, account, region }: Key): Promise<boolean> {
  const found = await db
    .selectFrom('keys')
    .select('region')
    .where('id', '=', id)
    .where('account', '=', account)
    .where('multi_region', '=', 'PRIMARY')
    .execute()
  return found.some(other => partitionOf(other.region) === partitionOf(region))
}

/** ARNs of one page of keys, in order of key id. AWS owned keys are in no listing. */
export async function listKeys(db: Kysely<Database>, page: PageRequest): Promise<string[]> {
  const rows = await db
    .selectFrom('keys')
    .select('arn')
    .where('account', '=', page.account)
    .where('region', '=', page.region)
    .where('id', '>', page.after ?? '')
    .where('owned', '=', 0)
    .orderBy('id')
    .limit(page.limit)
    .execute()
  return rows.map(row => row.arn)
}

interface Materials {
  readonly materials: KeyMaterial[]
  pendingMaterial?: KeyMaterial
}

function materialRows(db: Kysely<Database>) {
  return db.selectFrom('key_materials').selectAll()
}

function withMaterials(keys: readonly Key[], rows: readonly MaterialRow[]): Key[] {
  const byKey = new Map<string, Materials>()
  // Nearly all keys of a page have the same value: they share one object, which is cloned once.
  const custodies = new Map<string, Custody>()
  for (const row of rows) {
    const ofKey = byKey.get(row.key_arn) ?? { materials: [] }
    byKey.set(row.key_arn, ofKey)
    const material = materialOf(row, custodies)
    if (row.position === pendingPosition) ofKey.pendingMaterial = material
    else ofKey.materials[row.position] = material
  }
  return keys.map(key => ({ ...key, ...byKey.get(key.arn) }))
}

const pendingPosition = -1

function materialOf(row: MaterialRow, custodies: Map<string, Custody>): KeyMaterial {
  const { id, created_at, rotation_type, rotation_date, imported, valid_to, description } = row
  return {
    id,
    createdAt: created_at,
    object: objectOf(row, custodies),
    rotation: rotation_type === null ? undefined : { type: rotation_type, date: rotation_date! },
    imported: imported === 1 ? { validTo: valid_to ?? undefined, description: description ?? undefined } : undefined,
  }
}

function objectOf(row: MaterialRow, custodies: Map<string, Custody>): KeyObject | undefined {
  if (row.object === null) return undefined
  const custody = custodies.get(row.custody!) ?? (JSON.parse(row.custody!) as Custody)
  custodies.set(row.custody!, custody)
  return {
    id: row.object,
    hsm: row.hsm!,
    custody,
    publicKey: row.public_key ?? undefined,
    checkValue: row.check_value ?? undefined,
  }
}

async function insertMaterials(db: Kysely<Database>, { arn, materials, pendingMaterial }: Key): Promise<void> {
  const rows = materials.map((material, position) => materialRow(arn, position, material))
  if (pendingMaterial) rows.push(materialRow(arn, pendingPosition, pendingMaterial))
  if (rows.length > 0) await db.insertInto('key_materials').values(rows).execute()
}

function materialRow(key_arn: string, position: number, material: KeyMaterial): MaterialRow {
  const { id, createdAt, object, rotation, imported } = material
  return {
    key_arn,
    position,
    id,
    created_at: createdAt,
    rotation_type: rotation?.type ?? null,
    rotation_date: rotation?.date ?? null,
    imported: imported ? 1 : 0,
    valid_to: imported?.validTo ?? null,
    description: imported?.description ?? null,
    object: object?.id ?? null,
    hsm: object?.hsm ?? null,
    custody: object ? JSON.stringify(object.custody) : null,
    public_key: object?.publicKey ?? null,
    check_value: object?.checkValue ?? null,
  }
}

async function removeMaterials(db: Kysely<Database>, key: Key): Promise<void> {
  await db.deleteFrom('key_materials').where('key_arn', '=', key.arn).execute()
}
