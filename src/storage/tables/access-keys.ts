import type { AccessKey, RoleSession } from '../../model/identities/access-key.ts'
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
    session_token_hash: accessKey.sessionTokenHash ?? null,
    expires_at: accessKey.expiresAt ?? null,
    session: accessKey.session ? JSON.stringify(accessKey.session) : null,
    revision: accessKey.revision,
  }),
  fromRow: row => ({
    id: row.id,
    principalArn: row.principal_arn,
    sealedSecret: row.sealed_secret,
    sessionTokenHash: row.session_token_hash ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    session: row.session === null ? undefined : (JSON.parse(row.session) as RoleSession),
    revision: row.revision,
  }),
})
