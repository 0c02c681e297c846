import { contextConditions } from '../encryption-condition-keys.ts'
import { type GrantTarget, retiredGrant } from '../grant-targets.ts'
import { operation } from '../operation.ts'

export const retireGrant = operation('RetireGrant')({
  readOnly: false,
  target: retiredGrant,
  conditionKeys: {
    ...contextConditions(({ target: { grant } }: { readonly target: GrantTarget }) => {
      return grant?.constraints?.EncryptionContextEquals ?? grant?.constraints?.EncryptionContextSubset
    }),
    'kms:GrantConstraintType': ({ target: { grant } }) => Object.keys(grant?.constraints ?? {}),
  },
  recorded: ['KeyId', 'GrantId', 'DryRun'],
  async run({ target, changes }) {
    changes.remove('grants', target.grant!)
  },
})
