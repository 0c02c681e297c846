import { type Custody, objectOf, type SystemKey } from '../../model/keys/key.ts'
import type { SystemKeyRow } from './database.ts'
import { table } from './table.ts'

export const systemKeys = table<SystemKey, SystemKeyRow>({
  name: 'system_keys',
  primaryKey: ['hsm', 'purpose'],
  identity: ({ material, purpose }) => systemKeyIdentity(objectOf(material).hsm, purpose),
  toRow({ purpose, material, revision }) {
    const { id, hsm, custody, checkValue = null } = objectOf(material)
    return {
      hsm,
      purpose,
      object: id,
      custody: JSON.stringify(custody),
      check_value: checkValue,
      created_at: material.createdAt,
      revision,
    }
  },
  fromRow: row => ({
    purpose: row.purpose,
    material: {
      id: row.object,
      createdAt: row.created_at,
      object: {
        id: row.object,
        hsm: row.hsm,
        custody: JSON.parse(row.custody) as Custody,
        checkValue: row.check_value ?? undefined,
      },
    },
    revision: row.revision,
  }),
})

export function systemKeyIdentity(hsm: string, purpose: SystemKey['purpose']): string {
  return `${purpose}/${hsm}`
}
