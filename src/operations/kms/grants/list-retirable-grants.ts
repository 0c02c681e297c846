import type { Grant } from '../../../model/keys/grant.ts'
import { grantEntry } from '../grant-entry.ts'
import { retiringPrincipal } from '../grant-principals.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'

/** Grants of keys of any account in the region. */
export const listRetirableGrants = operation('ListRetirableGrants')({
  readOnly: true,
  target: retiringPrincipal,
  recorded: ['RetiringPrincipal', 'RetiringServicePrincipal', 'Limit', 'Marker'],
  async run({ input, target: { retiring }, caller, storage }) {
    const { region } = caller
    const { records, ...rest } = await page<Grant>(
      input,
      { ordinary: 50, maximum: 100 },
      scopeOf('ListRetirableGrants', caller, retiring.arn),
      grant => grant.id,
      (after, limit) =>
        storage.grants.list({ region, retiringArn: retiring.arn, retiringId: retiring.uniqueId, after, limit }),
    )
    return { Grants: records.map(grantEntry), ...rest }
  },
})
