import type { Custody, SpareKey } from '../../model/keys/key.ts'
import type { SpareKeyRow } from './database.ts'
import { table } from './table.ts'

export const spareKeys = table<SpareKey, SpareKeyRow>({
  name: 'spare_keys',
  primaryKey: ['object'],
  key: ({ object }) => [object.id],
  toRow: ({ spec, usage, object, revision }) => ({
    object: object.id,
    hsm: object.hsm,
    spec,
    usage,
    custody: JSON.stringify(object.custody),
    public_key: object.publicKey!,
    revision,
  }),
  fromRow: row => ({
    spec: row.spec,
    usage: row.usage,
    object: {
      id: row.object,
      hsm: row.hsm,
      custody: JSON.parse(row.custody) as Custody,
      publicKey: row.public_key,
    },
    revision: row.revision,
  }),
})
