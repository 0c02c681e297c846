import { retiringPrincipal } from '../grant-principals.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'

/** Always empty: this gateway cannot create grants yet. */
export const listRetirableGrants = operation('ListRetirableGrants')({
  readOnly: true,
  target: retiringPrincipal,
  recorded: ['RetiringPrincipal', 'RetiringServicePrincipal', 'Limit', 'Marker'],
  async run({ input, caller }) {
    const { records, ...rest } = await page<never>(
      input,
      { ordinary: 50, maximum: 100 },
      scopeOf('ListRetirableGrants', caller, input.RetiringPrincipal!),
      String,
      () => [],
    )
    return { Grants: [...records], ...rest }
  },
})
