import { keyMetadata } from '../../../model/keys/key-metadata.ts'
import { whyUnsupportedOn } from '../../../vault/materials.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const describeKey = operation('DescribeKey')({
  readOnly: true,
  target: key({ state: 'view', byAlias: true, crossAccount: true }),
  recorded: ['KeyId'],
  async run({ target: { key }, hsms, storage }) {
    const context = { related: storage.keys.related(key), store: storage.customKeyStores.ofKey(key) }
    return { KeyMetadata: keyMetadata(key, whyUnsupportedOn(hsms, key), context) }
  },
})
