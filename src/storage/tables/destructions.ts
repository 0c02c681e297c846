import type { Destruction } from '../../model/keys/key.ts'
import type { DestructionRow } from './database.ts'
import { table } from './table.ts'

export const destructions = table<Destruction, DestructionRow>({
  name: 'destructions',
  primaryKey: ['material', 'hsm'],
  identity: ({ material, hsm }) => `${material}/${hsm}`,
  toRow: ({ material, hsm, keyArn = '', revision }) => ({ material, hsm, key_arn: keyArn, revision }),
  fromRow: ({ material, hsm, key_arn, revision }) => ({ material, hsm, keyArn: key_arn || undefined, revision }),
})
