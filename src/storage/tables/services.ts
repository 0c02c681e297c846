import type { Service } from '../../model/identities/service.ts'
import type { ServiceRow } from './database.ts'
import { table } from './table.ts'

export const services = table<Service, ServiceRow>({
  name: 'services',
  primaryKey: ['name'],
  key: service => [service.name],
  toRow: service => ({
    name: service.name,
    user_arn: service.userArn,
    accounts: JSON.stringify(service.accounts),
    created_at: service.createdAt,
    owner: service.owner ?? null,
    revision: service.revision,
  }),
  fromRow: row => ({
    name: row.name,
    userArn: row.user_arn,
    accounts: JSON.parse(row.accounts) as string[],
    createdAt: row.created_at,
    owner: row.owner ?? undefined,
    revision: row.revision,
  }),
})
