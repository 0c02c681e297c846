import type { Destruction } from '../../model/keys/key.ts'
import type { DestructionRow } from './database.ts'
import { table } from './table.ts'

export const destructions = table<Destruction, DestructionRow>({
  name: 'destructions',
  primaryKey: ['object', 'hsm'],
  key: ({ object, hsm }) => [object, hsm],
  toRow: ({ object, hsm, keyArn = '', revision }) => ({ object, hsm, key_arn: keyArn, revision }),
  fromRow: ({ object, hsm, key_arn, revision }) => ({ object, hsm, keyArn: key_arn || undefined, revision }),
})

export function destructionIdentity(hsm: string, object: string): string {
  return `${object}/${hsm}`
}
