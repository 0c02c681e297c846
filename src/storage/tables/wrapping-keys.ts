import type { Custody, WrappingKey } from '../../model/keys/key.ts'
import type { WrappingKeyRow } from './database.ts'
import { table } from './table.ts'

export const wrappingKeys = table<WrappingKey, WrappingKeyRow>({
  name: 'wrapping_keys',
  primaryKey: ['key_arn', 'spec', 'day'],
  key: ({ keyArn, spec, day }) => [keyArn, spec, day],
  toRow: ({ keyArn, spec, day, object, revision }) => ({
    key_arn: keyArn,
    spec,
    day,
    object: object.id,
    hsm: object.hsm,
    custody: JSON.stringify(object.custody),
    public_key: object.publicKey!,
    revision,
  }),
  fromRow: row => ({
    keyArn: row.key_arn,
    spec: row.spec,
    day: row.day,
    object: {
      id: row.object,
      hsm: row.hsm,
      custody: JSON.parse(row.custody) as Custody,
      publicKey: row.public_key,
    },
    revision: row.revision,
  }),
})

export function wrappingKeyIdentity({ keyArn, spec, day }: Pick<WrappingKey, 'keyArn' | 'spec' | 'day'>): string {
  return `${keyArn}/${spec}/${day}`
}
