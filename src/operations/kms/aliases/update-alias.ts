import { Failure } from '../../../errors.ts'
import { pointedAt } from '../../../model/keys/alias.ts'
import type { Key } from '../../../model/keys/key.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { checkAliasQuota } from '../alias-quota.ts'
import { aliasChange } from '../alias-targets.ts'
import { operation } from '../operation.ts'

export const updateAlias = operation('UpdateAlias')({
  readOnly: false,
  target: aliasChange,
  recorded: ['AliasName', 'TargetKeyId'],
  async run({ target: { alias, key, newKey }, storage, changes, clock }) {
    checkSameKind(alias.name, key, newKey)
    if (newKey.arn !== key.arn) checkAliasQuota(newKey, { storage, changes })
    changes.put('aliases', pointedAt(alias, newKey.arn, clock()))
  },
})

/** KMS API Reference, "UpdateAlias": key type and key usage must be the same, the key spec may differ. */
function checkSameKind(name: string, current: Key, next: Key): void {
  if (current.usage !== next.usage) throw unlike(name, 'key usage', current.usage, next.usage)
  const [type, nextType] = [current, next].map(({ spec }) => keySpecs[spec].type)
  if (type !== nextType) throw unlike(name, 'key type', type!, nextType!)
}

function unlike(name: string, what: string, value: string, next: string): Failure {
  return new Failure(
    'Validation',
    `Alias ${name} cannot be changed from a CMK with ${what} ${value} to a CMK with ${what} ${next}. The ${what} of the current CMK and the new CMK must be the same.`,
  )
}
