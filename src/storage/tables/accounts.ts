import type { Account } from '../../model/identities/account.ts'
import type { AccountRow } from './database.ts'
import { table } from './table.ts'

export const accounts = table<Account, AccountRow>({
  name: 'accounts',
  primaryKey: ['id'],
  key: account => [account.id],
  toRow: account => ({
    id: account.id,
    name: account.name ?? null,
    created_at: account.createdAt ?? null,
    owner: account.owner ?? null,
    revision: account.revision,
  }),
  fromRow: row => ({
    id: row.id,
    name: row.name ?? undefined,
    createdAt: row.created_at ?? undefined,
    owner: row.owner ?? undefined,
    revision: row.revision,
  }),
})
