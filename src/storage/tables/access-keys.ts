import type { AccessKey } from '../../model/identities/access-key.ts'
import type { AccessKeyRow } from './database.ts'
import { table } from './table.ts'

export const accessKeys = table<AccessKey, AccessKeyRow>({
  name: 'access_keys',
  primaryKey: ['id'],
  identity: accessKey => accessKey.id,
  toRow: accessKey => ({
    id: accessKey.id,
    principal_arn: accessKey.principalArn,
    sealed_secret: accessKey.sealedSecret,
    // Of sessions, which were stored once.
    session_token_hash: null,
    expires_at: null,
    session: null,
    revision: accessKey.revision,
  }),
  fromRow: row => ({
    id: row.id,
    principalArn: row.principal_arn,
    sealedSecret: row.sealed_secret,
    revision: row.revision,
  }),
})
