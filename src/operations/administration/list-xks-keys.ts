import { z } from 'zod'
import { operation } from './operation.ts'
import { type ShownXksKey, shownXksKey } from './xks-keys.ts'
import { prefixTarget } from './xks-prefixes.ts'

export const listXksKeys = operation({
  name: 'ListXksKeys',
  readOnly: true,
  schema: z.strictObject({ prefix: z.string() }),
  target: prefixTarget,
  recorded: ['prefix'],
  async run({ target: { prefix }, storage }): Promise<{ readonly keys: readonly ShownXksKey[] }> {
    const keys = storage.xksKeys.ofPrefix(prefix.name).map(externalKey => shownXksKey(externalKey, storage))
    return { keys: keys.sort((a, b) => (a.id < b.id ? -1 : 1)) }
  },
})
