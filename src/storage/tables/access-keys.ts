import type { AccessKey } from '../../model/identities/access-key.ts'
import type { AccessKeyRow } from './database.ts'
import { table } from './table.ts'

export const accessKeys = table<AccessKey, AccessKeyRow>({
  name: 'access_keys',
  primaryKey: ['id'],
  key: accessKey => [accessKey.id],
  toRow: accessKey => ({
    id: accessKey.id,
    principal_arn: accessKey.principalArn,
    sealed_secret: accessKey.sealedSecret,
    status: accessKey.status,
    created_at: accessKey.createdAt ?? null,
    revision: accessKey.revision,
  }),
  fromRow: row => ({
    id: row.id,
    principalArn: row.principal_arn,
    sealedSecret: row.sealed_secret,
    status: row.status,
    createdAt: row.created_at ?? undefined,
    revision: row.revision,
  }),
})
