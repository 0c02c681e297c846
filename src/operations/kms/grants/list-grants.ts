import { Failure } from '../../../errors.ts'
import type { Grant } from '../../../model/keys/grant.ts'
import { serviceConditionKeys } from '../../../model/keys/key-condition-keys.ts'
import { grantEntry } from '../grant-entry.ts'
import { checkServicePrincipal } from '../grant-principals.ts'
import { checkGrantId } from '../grant-targets.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { key } from '../targets.ts'

export const listGrants = operation('ListGrants')({
  readOnly: true,
  target: key({ state: 'view', crossAccount: true }),
  conditionKeys: serviceConditionKeys,
  recorded: ['KeyId', 'GrantId', 'GranteePrincipal', 'GranteeServicePrincipal', 'Limit', 'Marker'],
  async run({ input, target: { key }, caller, storage }) {
    const { GrantId: id, GranteePrincipal, GranteeServicePrincipal } = input
    if (GranteePrincipal !== undefined && GranteeServicePrincipal !== undefined) {
      const text = 'You can specify either GranteePrincipal or GranteeServicePrincipal, but not both.'
      throw new Failure('Validation', text)
    }
    checkServicePrincipal('GranteeServicePrincipal', GranteeServicePrincipal, caller)
    const granteeArn = GranteePrincipal ?? GranteeServicePrincipal
    if (id !== undefined) checkGrantId(id)
    const one = () => {
      const grant = storage.grants.find(key.arn, id!)
      return grant && (granteeArn === undefined || grant.grantee.arn === granteeArn) ? [grant] : []
    }
    const { records, ...rest } = await page<Grant>(
      input,
      { ordinary: 50, maximum: 100 },
      scopeOf('ListGrants', caller, key.arn, id ?? '', granteeArn ?? ''),
      grant => grant.id,
      (after, limit) => (id === undefined ? storage.grants.list({ keyArn: key.arn, granteeArn, after, limit }) : one()),
    )
    return { Grants: records.map(grantEntry), ...rest }
  },
})
