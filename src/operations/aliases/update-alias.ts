import { Failure } from '../../errors.ts'
import type { Key } from '../../model/key.ts'
import { checkAliasQuota } from '../alias-quota.ts'
import { operation } from '../operation.ts'
import { aliasChange } from '../targets.ts'

export const updateAlias = operation('UpdateAlias')({
  readOnly: false,
  target: aliasChange,
  recorded: ['AliasName', 'TargetKeyId'],
  async run({ target: { alias, key, newKey }, storage, changes, clock }) {
    checkSameUsage(alias.name, key, newKey)
    if (newKey.arn !== key.arn) checkAliasQuota(newKey, storage)
    changes.put('aliases', { ...alias, targetKeyArn: newKey.arn, lastUpdatedDate: clock() })
  },
})

function checkSameUsage(name: string, { usage }: Key, { usage: newUsage }: Key): void {
  if (usage === newUsage) return
  throw new Failure(
    'ValidationException',
    `Alias ${name} cannot be changed from a CMK with key usage ${usage} to a CMK with key usage ${newUsage}. The key usage of the current CMK and the new CMK must be the same.`,
  )
}
