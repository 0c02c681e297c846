import { keyMetadata } from '../../../model/keys/key-metadata.ts'
import { whyNotWith } from '../../../vault/materials.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const describeKey = operation('DescribeKey')({
  readOnly: true,
  target: key({ state: 'view', byAlias: true, crossAccount: true }),
  recorded: ['KeyId'],
  async run({ target, hsms }) {
    return { KeyMetadata: keyMetadata(target.key, whyNotWith(hsms, target.key)) }
  },
})
