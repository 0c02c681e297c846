import { checkAliasQuota } from '../alias-quota.ts'
import { newAlias } from '../alias-targets.ts'
import { operation } from '../operation.ts'

export const createAlias = operation('CreateAlias')({
  readOnly: false,
  target: newAlias,
  recorded: ['AliasName', 'TargetKeyId'],
  async run({ input, target: { key, aliasArn }, caller, storage, changes, clock }) {
    checkAliasQuota(key, { storage, changes })
    const now = clock()
    changes.put('aliases', {
      arn: aliasArn,
      name: input.AliasName,
      account: caller.account,
      region: caller.region,
      targetKeyArn: key.arn,
      creationDate: now,
      lastUpdatedDate: now,
      revision: 0,
    })
  },
})
