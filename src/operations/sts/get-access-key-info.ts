import { Failure } from '../../errors.ts'
import { account, isUserSession, operation } from './operation.ts'

/** Of access keys of users only: temporary ones are stored nowhere. */
export const getAccessKeyInfo = operation('GetAccessKeyInfo')({
  target: account,
  refuses: isUserSession,
  recorded: ['AccessKeyId'],
  async run({ input: { AccessKeyId }, storage: { accessKeys, principals } }) {
    const accessKey = accessKeys.find(AccessKeyId)
    const owner = accessKey && principals.find(accessKey.principalArn)
    if (!owner) throw new Failure('Validation', `There is no access key ${AccessKeyId} of a user.`)
    return { Account: owner.account }
  },
})
