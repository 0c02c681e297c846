import type { Storage } from '../../services.ts'
import { aliasSchema, aliasTarget, type ShownKey, shownKey } from './aliases.ts'
import { operation } from './operation.ts'

/** A key that an alias names, named before, or will name. */
export interface AliasKey extends Partial<ShownKey> {
  readonly arn: string
  readonly role: 'current' | 'former' | 'successor'
  /** When the alias was pointed at another key: milliseconds since the epoch. */
  readonly until?: number
}

/** The keys of an alias: the one that waits to succeed, the present one, and the former ones, the latest first. A deleted key has only its ARN. */
export const listAliasKeys = operation({
  name: 'ListAliasKeys',
  readOnly: true,
  schema: aliasSchema,
  target: aliasTarget,
  recorded: ['alias', 'account', 'region'],
  async run({ target: { alias, key }, storage }) {
    const { formerKeys = [], successorKeyArn } = alias
    const keys: AliasKey[] = [{ ...shownKey(key, storage), role: 'current' }]
    if (successorKeyArn !== undefined) keys.unshift({ ...found(successorKeyArn, storage), role: 'successor' })
    for (const { keyArn, until } of formerKeys.toReversed())
      keys.push({ ...found(keyArn, storage), role: 'former', until })
    return { aliasArn: alias.arn, keys }
  },
})

function found(arn: string, storage: Storage): Partial<ShownKey> & { readonly arn: string } {
  const key = storage.keys.find(arn)
  return key ? shownKey(key, storage) : { arn }
}
