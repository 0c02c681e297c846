import type { Alias } from '../../../model/keys/alias.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { optionalKey } from '../targets.ts'

export const listAliases = operation('ListAliases')({
  readOnly: true,
  target: optionalKey,
  recorded: ['KeyId', 'Limit', 'Marker'],
  async run({ input, target, caller, storage }) {
    const { account, region } = caller
    const targetKeyArn = target.key?.arn
    const { records, ...rest } = await page<Alias>(
      input,
      { ordinary: 50, maximum: 100 },
      scopeOf('ListAliases', caller, targetKeyArn ?? ''),
      alias => alias.name,
      (after, limit) => storage.aliases.list({ account, region, targetKeyArn, after, limit }),
    )
    return { Aliases: records.map(entryOf), ...rest }
  },
})

function entryOf({ name, arn, targetKeyArn, creationDate, lastUpdatedDate }: Alias) {
  return {
    AliasName: name,
    AliasArn: arn,
    TargetKeyId: targetKeyArn.slice(targetKeyArn.indexOf('/') + 1),
    CreationDate: new Date(creationDate),
    LastUpdatedDate: new Date(lastUpdatedDate),
  }
}
