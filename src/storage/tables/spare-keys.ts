import type { Custody, SpareKey } from '../../model/keys/key.ts'
import type { SpareKeyRow } from './database.ts'
import { table } from './table.ts'

export const spareKeys = table<SpareKey, SpareKeyRow>({
  name: 'spare_keys',
  primaryKey: ['material'],
  identity: ({ material }) => material.id,
  toRow: ({ spec, usage, material, revision }) => ({
    material: material.id,
    hsm: material.hsm,
    spec,
    usage,
    custody: JSON.stringify(material.custody),
    public_key: material.publicKey!,
    revision,
  }),
  fromRow: row => ({
    spec: row.spec,
    usage: row.usage,
    material: {
      id: row.material,
      hsm: row.hsm,
      custody: JSON.parse(row.custody) as Custody,
      publicKey: row.public_key,
    },
    revision: row.revision,
  }),
})
