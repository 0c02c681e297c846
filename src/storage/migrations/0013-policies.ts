/**
 * Accounts, groups and managed policies; trust policies of roles; a status of access keys, and their last use. Sessions are no longer
 * stored: session tokens hold them.
 */
import { createHash } from 'node:crypto'
import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { ColumnTypes } from '../engines/engine.ts'
import type { Migration } from './migration.ts'

type Db = Kysely<unknown>
type Text = ColumnTypes['text']

export const policies: Migration = async (db, { text }) => {
  await createTables(db, text)
  await changePrincipals(db, text)
  await changeAccessKeys(db, text)
}

async function createTables(db: Db, text: Text): Promise<void> {
  await table(db, 'accounts')
    .addColumn('id', text, column => column.primaryKey())
    .addColumn('name', text)
    .addColumn('created_at', 'bigint')
    .addColumn('owner', text)
    .addColumn('revision', 'bigint', column => column.notNull())
    .execute()
  await identityTable(db, 'managed_policies', text)
    .addColumn('policy_id', text, column => column.notNull().unique())
    .addColumn('document', text, column => column.notNull())
    .addColumn('description', text)
    .execute()
  await identityTable(db, 'identity_groups', text)
    .addColumn('group_id', text, column => column.notNull().unique())
    .addColumn('inline_policies', text, column => column.notNull())
    .addColumn('managed_policies', text, column => column.notNull())
    .execute()
  for (const name of ['managed_policies', 'identity_groups']) {
    const columns = sql`account, lower(name)`
    await db.schema.createIndex(`${name}_by_name`).unique().on(name).expression(columns).execute()
  }
  await table(db, 'access_key_uses')
    .addColumn('access_key_id', text, column => column.primaryKey())
    .addColumn('used_at', 'bigint', column => column.notNull())
    .addColumn('region', text, column => column.notNull())
    .addColumn('service', text, column => column.notNull())
    .addColumn('source_address', text, column => column.notNull())
    .execute()
}

function table(db: Db, name: string) {
  return db.schema.createTable(name)
}

/** With what policies and groups have in common. */
function identityTable(db: Db, name: string, text: Text): CreateTableBuilder<string, string> {
  return table(db, name)
    .addColumn('arn', text, column => column.primaryKey())
    .addColumn('account', text, column => column.notNull())
    .addColumn('name', text, column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('owner', text)
    .addColumn('revision', 'bigint', column => column.notNull())
}

interface PrincipalRow {
  readonly arn: string
  readonly account: string
  readonly type: 'user' | 'role'
  readonly policies: string
  readonly permissions_boundary: string | null
}

interface Tables {
  readonly principals: PrincipalRow & {
    readonly inline_policies: string
    readonly managed_policies: string
    readonly trust_policy: string | null
    readonly max_session_duration: number | null
  }
  readonly managed_policies: {
    readonly arn: string
    readonly account: string
    readonly name: string
    readonly policy_id: string
    readonly document: string
    readonly created_at: number
    readonly revision: number
  }
  readonly accounts: { id: string; revision: number }
  readonly access_keys: { readonly session_token_hash: string | null }
}

async function changePrincipals(db: Db, text: Text): Promise<void> {
  const empty = '[]'
  for (const column of ['inline_policies', 'managed_policies', 'groups']) {
    await alter(db, 'principals')
      .addColumn(column, text, added => added.notNull().defaultTo(empty))
      .execute()
  }
  for (const column of ['trust_policy', 'trust_principals', 'description', 'owner']) {
    await alter(db, 'principals').addColumn(column, text).execute()
  }
  for (const column of ['max_session_duration', 'created_at', 'sessions_revoked_before']) {
    await alter(db, 'principals').addColumn(column, 'bigint').execute()
  }
  await convertPrincipals(db as Kysely<Tables>)
  await alter(db, 'principals').dropColumn('policies').execute()
  await db.schema.dropIndex('principals_by_name').execute()
  const columns = sql`account, type, lower(name)`
  await db.schema.createIndex('principals_by_name').unique().on('principals').expression(columns).execute()
}

/** All that could be created were administrators, with full access to their account. */
async function convertPrincipals(db: Kysely<Tables>): Promise<void> {
  const administratorAccess = JSON.stringify(['arn:aws:iam::aws:policy/AdministratorAccess'])
  const accounts = new Set<string>()
  for (const { arn, account, type, policies, permissions_boundary } of await db
    .selectFrom('principals')
    .selectAll()
    .execute()) {
    accounts.add(account)
    const texts = JSON.parse(policies) as string[]
    const boundary =
      permissions_boundary === null ? undefined : boundaryPolicy({ arn, account, type, text: permissions_boundary })
    if (boundary) await db.insertInto('managed_policies').values(boundary).execute()
    const isAdministrator = type === 'user' && texts.length === 1 && texts[0] === fullAccess
    const inline = texts.map((document, index) => ({ name: `policy-${index + 1}`, document }))
    await db
      .updateTable('principals')
      .set({
        permissions_boundary: boundary?.arn ?? null,
        ...(isAdministrator ? { managed_policies: administratorAccess } : { inline_policies: JSON.stringify(inline) }),
        ...(type === 'role' && { trust_policy: nobody, max_session_duration: 3600 }),
      })
      .where('arn', '=', arn)
      .execute()
  }
  for (const id of accounts) await db.insertInto('accounts').values({ id, revision: 1 }).execute()
}

/** Boundaries were texts; now they are managed policies. */
function boundaryPolicy({
  arn,
  account,
  type,
  text,
}: Pick<PrincipalRow, 'arn' | 'account' | 'type'> & { text: string }) {
  const name = `boundary-of-${type}-${arn.slice(arn.lastIndexOf('/') + 1)}`
  return {
    arn: `${arn.slice(0, arn.indexOf('::'))}::${account}:policy/${name}`,
    account,
    name,
    policy_id: `ANPA${createHash('sha256').update(arn).digest('hex').slice(0, 17).toUpperCase()}`,
    document: text,
    created_at: 0,
    revision: 1,
  }
}

const fullAccess = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
const nobody =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'

async function changeAccessKeys(db: Db, text: Text): Promise<void> {
  const rows = db as Kysely<Tables>
  await rows.deleteFrom('access_keys').where('session_token_hash', 'is not', null).execute()
  for (const column of ['session_token_hash', 'expires_at', 'session']) {
    await alter(db, 'access_keys').dropColumn(column).execute()
  }
  await alter(db, 'access_keys')
    .addColumn('status', text, column => column.notNull().defaultTo('Active'))
    .execute()
  await alter(db, 'access_keys').addColumn('created_at', 'bigint').execute()
}

function alter(db: Db, name: string) {
  return db.schema.alterTable(name)
}
