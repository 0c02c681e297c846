import type { XksKey } from '../../model/xks/external-key.ts'
import type { XksKeyRow } from './database.ts'
import { table } from './table.ts'

export const xksKeys = table<XksKey, XksKeyRow>({
  name: 'xks_keys',
  primaryKey: ['prefix', 'id'],
  /** An external key id has no slash. */
  key: ({ prefix, id }) => [prefix, id],
  toRow: key => ({
    prefix: key.prefix,
    id: key.id,
    key_arn: key.keyArn,
    frozen: Number(key.frozen),
    pin_first_user: Number(key.pinFirstUser),
    pinned_to: key.pinnedTo ?? null,
    revision: key.revision,
  }),
  fromRow: row => ({
    prefix: row.prefix,
    id: row.id,
    keyArn: row.key_arn,
    frozen: row.frozen === 1,
    pinFirstUser: row.pin_first_user === 1,
    pinnedTo: row.pinned_to ?? undefined,
    revision: row.revision,
  }),
})
