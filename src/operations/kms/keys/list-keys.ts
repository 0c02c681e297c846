import type { Key } from '../../../model/keys/key.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { account } from '../targets.ts'

export const listKeys = operation('ListKeys')({
  readOnly: true,
  target: account(),
  recorded: ['Limit', 'Marker', 'ResourceOwners'],
  async run({ input, caller, storage }) {
    const { account, region } = caller
    // AWS also lists keys of other accounts shared by AWS RAM, which does not exist here.
    const own = input.ResourceOwners?.includes('SELF') ?? true
    const { records, ...rest } = await page<Key>(
      input,
      { ordinary: 100, maximum: 1000 },
      scopeOf('ListKeys', caller, own ? 'SELF' : ''),
      key => key.id,
      (after, limit) => (own ? storage.keys.list({ account, region, after, limit }) : []),
    )
    return { Keys: records.map(({ id, arn }) => ({ KeyId: id, KeyArn: arn })), ...rest }
  },
})
