import { aliasArn } from '../../../model/arn.ts'
import type { Alias } from '../../../model/keys/alias.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { predefinedAliases } from '../service-keys.ts'
import { optionalKey } from '../targets.ts'

/** A predefined alias that has no key yet has no dates either. */
type Listed = Pick<Alias, 'arn' | 'name'> & Partial<Alias>

export const listAliases = operation('ListAliases')({
  readOnly: true,
  target: optionalKey,
  recorded: ['KeyId', 'Limit', 'Marker'],
  async run({ input, target, caller, storage, serviceKeys }) {
    const { account, region } = caller
    const targetKeyArn = target.key?.arn
    const { records, ...rest } = await page<Listed>(
      input,
      { ordinary: 50, maximum: 100 },
      scopeOf('ListAliases', caller, targetKeyArn ?? ''),
      alias => alias.name,
      async (after = '', limit) => {
        const stored = await storage.aliases.list({ account, region, targetKeyArn, after, limit })
        const predefined = target.key ? [] : predefinedAliases({ caller, storage, serviceKeys })
        const following = predefined.filter(name => name > after).map(name => ({ name, arn: aliasArn(caller, name) }))
        return [...stored, ...following].sort((one, other) => (one.name < other.name ? -1 : 1)).slice(0, limit)
      },
    )
    return { Aliases: records.map(entryOf), ...rest }
  },
})

function entryOf({ name, arn, targetKeyArn, creationDate, lastUpdatedDate }: Listed) {
  return {
    AliasName: name,
    AliasArn: arn,
    TargetKeyId: targetKeyArn?.slice(targetKeyArn.indexOf('/') + 1),
    CreationDate: dateOf(creationDate),
    LastUpdatedDate: dateOf(lastUpdatedDate),
  }
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time)
}
