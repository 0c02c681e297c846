import { Failure } from '../../errors.ts'
import { operation } from '../operation.ts'
import { newAlias } from '../targets.ts'

/** KMS Developer Guide, "Resource quotas". */
const maximumAliases = 50

export const createAlias = operation('CreateAlias')({
  readOnly: false,
  target: newAlias,
  recorded: ['AliasName', 'TargetKeyId'],
  async run({ input, target: { key, aliasArn }, caller, storage, changes, clock }) {
    if (storage.aliases.ofKey(key.arn).length >= maximumAliases) {
      throw new Failure('LimitExceededException', `${key.arn} has the maximum number of aliases: ${maximumAliases}`)
    }
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
