import { z } from 'zod'
import { operation } from './operation.ts'
import { type ShownPrefix, shownPrefix } from './xks-prefixes.ts'

export const listXksPrefixes = operation({
  name: 'ListXksPrefixes',
  readOnly: true,
  schema: z.strictObject({}),
  recorded: [],
  async run({ storage }): Promise<{ readonly prefixes: readonly ShownPrefix[] }> {
    const prefixes = await Promise.all(storage.xksPrefixes.all().map(prefix => shownPrefix(prefix, storage)))
    return { prefixes: prefixes.sort((a, b) => (a.prefix < b.prefix ? -1 : 1)) }
  },
})
