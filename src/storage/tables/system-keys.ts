import { type Custody, type KeyMaterial, objectOf, type SigningKey, type SystemKey } from '../../model/keys/key.ts'
import type { SystemKeyRow } from './database.ts'
import { table } from './table.ts'

export const systemKeys = table<SystemKey, SystemKeyRow>({
  name: 'system_keys',
  primaryKey: ['hsm', 'purpose'],
  key: ({ material, purpose }) => [objectOf(material).hsm, purpose],
  toRow({ purpose, material, former, changes, revision }) {
    const { id, hsm, custody, publicKey = null, checkValue = null } = objectOf(material)
    return {
      hsm,
      purpose,
      object: id,
      custody: JSON.stringify(custody),
      check_value: checkValue,
      created_at: material.createdAt,
      former: former ? JSON.stringify(former.map(toJson)) : null,
      public_key: publicKey,
      changes: changes ? JSON.stringify(changes) : null,
      revision,
    }
  },
  fromRow: ({ hsm, purpose, object: id, revision, ...row }) => ({
    purpose,
    material: {
      id,
      createdAt: row.created_at,
      object: {
        id,
        hsm,
        custody: JSON.parse(row.custody) as Custody,
        publicKey: row.public_key ?? undefined,
        checkValue: row.check_value ?? undefined,
      },
    },
    former: row.former === null ? undefined : (JSON.parse(row.former) as Former[]).map(former => fromJson(former, hsm)),
    changes: row.changes === null ? undefined : (JSON.parse(row.changes) as SigningKey[]),
    revision,
  }),
})

interface Former {
  readonly object: string
  readonly custody: Custody
  /** In base64. */
  readonly checkValue?: string | undefined
  readonly createdAt: number
}

function toJson(material: KeyMaterial): Former {
  const { id, custody, checkValue } = objectOf(material)
  const { createdAt } = material
  return { object: id, custody, checkValue: checkValue && Buffer.from(checkValue).toString('base64'), createdAt }
}

function fromJson({ object: id, custody, checkValue, createdAt }: Former, hsm: string): KeyMaterial {
  const bytes = checkValue === undefined ? undefined : Uint8Array.from(Buffer.from(checkValue, 'base64'))
  return { id, createdAt, object: { id, hsm, custody, checkValue: bytes } }
}

export function systemKeyIdentity(hsm: string, purpose: SystemKey['purpose']): string {
  return `${hsm}/${purpose}`
}
