import { serviceConditionKeys } from '../../../model/keys/key-condition-keys.ts'
import { grantOfKey } from '../grant-targets.ts'
import { operation } from '../operation.ts'

export const revokeGrant = operation('RevokeGrant')({
  readOnly: false,
  target: grantOfKey,
  conditionKeys: serviceConditionKeys,
  recorded: ['KeyId', 'GrantId', 'DryRun'],
  async run({ target, changes }) {
    changes.remove('grants', target.grant!)
  },
})
