import { Failure } from '../../../errors.ts'
import { refuseServicePrincipal } from '../grant-principals.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { key } from '../targets.ts'

/** Always empty: this gateway cannot create grants yet. */
export const listGrants = operation('ListGrants')({
  readOnly: true,
  target: key({ state: 'view', crossAccount: true }),
  conditionKeys: { 'kms:GrantIsForAWSResource': () => false },
  recorded: ['KeyId', 'GrantId', 'GranteePrincipal', 'GranteeServicePrincipal', 'Limit', 'Marker'],
  async run({ input, target: { key }, caller }) {
    const { GrantId = '', GranteePrincipal, GranteeServicePrincipal } = input
    if (GranteePrincipal !== undefined && GranteeServicePrincipal !== undefined) {
      const text = 'You can specify either GranteePrincipal or GranteeServicePrincipal, but not both.'
      throw new Failure('Validation', text)
    }
    refuseServicePrincipal('GranteeServicePrincipal', GranteeServicePrincipal)
    const { records, ...rest } = await page<never>(
      input,
      { ordinary: 50, maximum: 100 },
      scopeOf('ListGrants', caller, key.arn, GrantId, GranteePrincipal ?? ''),
      String,
      () => [],
    )
    return { Grants: [...records], ...rest }
  },
})
