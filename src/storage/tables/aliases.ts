import type { Kysely } from 'kysely'
import type { Alias, FormerKey } from '../../model/keys/alias.ts'
import type { PageRequest } from '../storage.ts'
import type { AliasRow, Database } from './database.ts'
import { table } from './table.ts'

export const aliases = table<Alias, AliasRow>({
  name: 'aliases',
  primaryKey: ['arn'],
  key: alias => [alias.arn],
  toRow: alias => ({
    arn: alias.arn,
    name: alias.name,
    account: alias.account,
    region: alias.region,
    target_key_arn: alias.targetKeyArn,
    former_keys: alias.formerKeys ? JSON.stringify(alias.formerKeys) : null,
    successor_key_arn: alias.successorKeyArn ?? null,
    creation_date: alias.creationDate,
    last_updated_date: alias.lastUpdatedDate,
    revision: alias.revision,
  }),
  fromRow: row => ({
    arn: row.arn,
    name: row.name,
    account: row.account,
    region: row.region,
    targetKeyArn: row.target_key_arn,
    formerKeys: row.former_keys === null ? undefined : (JSON.parse(row.former_keys) as FormerKey[]),
    successorKeyArn: row.successor_key_arn ?? undefined,
    creationDate: row.creation_date,
    lastUpdatedDate: row.last_updated_date,
    revision: row.revision,
  }),
})

/** ARNs of one page of aliases, in order of name; of one key when `targetKeyArn` is given. */
export async function listAliases(
  db: Kysely<Database>,
  page: PageRequest & { readonly targetKeyArn?: string | undefined },
): Promise<string[]> {
  const { targetKeyArn } = page
  const rows = await db
    .selectFrom('aliases')
    .select('arn')
    .where('account', '=', page.account)
    .where('region', '=', page.region)
    .where('name', '>', page.after ?? '')
    .$if(targetKeyArn !== undefined, query => query.where('target_key_arn', '=', targetKeyArn!))
    .orderBy('name')
    .limit(page.limit)
    .execute()
  return rows.map(row => row.arn)
}
