import { Failure } from '../../../errors.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { account } from '../targets.ts'

/** Always empty: this gateway has no custom key stores yet. */
export const describeCustomKeyStores = operation('DescribeCustomKeyStores')({
  readOnly: true,
  target: account(),
  conditionKeys: { 'kms:CallerAccount': ({ caller }) => caller.account || undefined },
  recorded: ['CustomKeyStoreId', 'CustomKeyStoreName', 'Limit', 'Marker'],
  async run({ input, caller }) {
    const { CustomKeyStoreId, CustomKeyStoreName } = input
    if (CustomKeyStoreId !== undefined && CustomKeyStoreName !== undefined) {
      const text = 'You can specify either CustomKeyStoreId or CustomKeyStoreName, but not both.'
      throw new Failure('Validation', text)
    }
    if ((CustomKeyStoreId ?? CustomKeyStoreName) !== undefined) throw new Failure('CustomKeyStoreNotFound')
    const { records, ...rest } = await page<never>(
      input,
      { ordinary: 100, maximum: 1000 },
      scopeOf('DescribeCustomKeyStores', caller),
      String,
      () => [],
    )
    return { CustomKeyStores: [...records], ...rest }
  },
})
