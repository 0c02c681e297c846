import type { Key } from '../../model/key.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { account } from '../targets.ts'

export const listKeys = operation('ListKeys')({
  readOnly: true,
  target: account(),
  recorded: ['Limit', 'Marker'],
  async run({ input, caller, storage }) {
    const { records, ...rest } = await page<Key>(
      input,
      { ordinary: 100, maximum: 1000 },
      scopeOf('ListKeys', caller),
      key => key.id,
      (after, limit) => storage.keys.list({ account: caller.account, region: caller.region, after, limit }),
    )
    return { Keys: records.map(({ id, arn }) => ({ KeyId: id, KeyArn: arn })), ...rest }
  },
})
