import type { Custody, SystemKey } from '../../model/keys/key.ts'
import type { SystemKeyRow } from './database.ts'
import { table } from './table.ts'

export const systemKeys = table<SystemKey, SystemKeyRow>({
  name: 'system_keys',
  primaryKey: ['hsm', 'purpose'],
  identity: ({ material, purpose }) => systemKeyIdentity(material.hsm, purpose),
  toRow: ({ purpose, material, revision }) => ({
    hsm: material.hsm,
    purpose,
    material: material.id,
    custody: JSON.stringify(material.custody),
    check_value: material.checkValue ?? null,
    created_at: material.createdAt,
    revision,
  }),
  fromRow: row => ({
    purpose: row.purpose,
    material: {
      id: row.material,
      hsm: row.hsm,
      custody: JSON.parse(row.custody) as Custody,
      checkValue: row.check_value ?? undefined,
      createdAt: row.created_at,
    },
    revision: row.revision,
  }),
})

export function systemKeyIdentity(hsm: string, purpose: SystemKey['purpose']): string {
  return `${purpose}/${hsm}`
}
