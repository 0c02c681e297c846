import type { Kysely, SelectQueryBuilder } from 'kysely'
import type { Grant, GrantConstraints, GrantIdentity, GrantOperation } from '../../model/keys/grant.ts'
import type { GrantPage } from '../storage.ts'
import type { Database, GrantRow } from './database.ts'
import { type Table, table } from './table.ts'

const grantRows = table<Grant, GrantRow>({
  name: 'grants',
  primaryKey: ['key_arn', 'id'],
  key: ({ keyArn, id }) => [keyArn, id],
  toRow: grant => ({
    key_arn: grant.keyArn,
    id: grant.id,
    region: grant.region,
    name: grant.name ?? null,
    grantee_arn: grant.grantee.arn,
    grantee_id: grant.grantee.uniqueId ?? null,
    retiring_arn: grant.retiring?.arn ?? null,
    retiring_id: grant.retiring?.uniqueId ?? null,
    issuing_account: grant.issuingAccount,
    operations: JSON.stringify(grant.operations),
    constraints: grant.constraints === undefined ? null : JSON.stringify(grant.constraints),
    creation_date: grant.creationDate,
    fingerprint: grant.fingerprint ?? null,
    revision: grant.revision,
  }),
  fromRow: row => ({
    id: row.id,
    keyArn: row.key_arn,
    region: row.region,
    name: row.name ?? undefined,
    grantee: { arn: row.grantee_arn, uniqueId: row.grantee_id ?? undefined },
    retiring: row.retiring_arn === null ? undefined : { arn: row.retiring_arn, uniqueId: row.retiring_id ?? undefined },
    issuingAccount: row.issuing_account,
    operations: JSON.parse(row.operations) as GrantOperation[],
    constraints: row.constraints === null ? undefined : (JSON.parse(row.constraints) as GrantConstraints),
    creationDate: row.creation_date,
    fingerprint: row.fingerprint ?? undefined,
    revision: row.revision,
  }),
})

export const grants: Table<Grant> = {
  ...grantRows,

  /** Many grants have the same grantee and operations: those of a page share one object, which is cloned and kept once. */
  async load(db, page) {
    const known = new Map<string, unknown>()
    const shared = <T extends object | undefined>(value: T): T => {
      const text = JSON.stringify(value)
      if (!known.has(text)) known.set(text, value)
      return known.get(text) as T
    }
    const loaded = await grantRows.load(db, page)
    return loaded.map(({ grantee, retiring, operations, ...grant }) => {
      return { ...grant, grantee: shared(grantee), retiring: shared(retiring), operations: shared(operations) }
    })
  },
}

/** One page of grants, in order of grant id. */
export async function listGrants(db: Kysely<Database>, page: GrantPage): Promise<GrantIdentity[]> {
  const all = db
    .selectFrom('grants')
    .select(['key_arn as keyArn', 'id'])
    .where('id', '>', page.after ?? '')
  return ('keyArn' in page ? ofKey(all, page) : toRetire(all, page)).orderBy('id').limit(page.limit).execute()
}

type All = SelectQueryBuilder<Database, 'grants', GrantIdentity>

function ofKey(all: All, { keyArn, granteeArn }: Extract<GrantPage, { keyArn: string }>): All {
  const ofKey = all.where('key_arn', '=', keyArn)
  return granteeArn === undefined ? ofKey : ofKey.where('grantee_arn', '=', granteeArn)
}

function toRetire(all: All, { region, retiringArn, retiringId }: Extract<GrantPage, { retiringArn: string }>): All {
  return all
    .where('retiring_arn', '=', retiringArn)
    .where('region', '=', region)
    .where(({ or, eb }) =>
      or([eb('retiring_id', 'is', null), ...(retiringId === undefined ? [] : [eb('retiring_id', '=', retiringId)])]),
    )
}

/** All grants of a key. */
export async function removeGrants(db: Kysely<Database>, keyArn: string): Promise<void> {
  await db.deleteFrom('grants').where('key_arn', '=', keyArn).execute()
}
