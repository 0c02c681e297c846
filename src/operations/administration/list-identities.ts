import { z } from 'zod'
import { accountOf } from './accounts.ts'
import { entryOf, foundIdentity, identitySchema, written } from './identities.ts'
import { kinds, nameOf } from './kinds.ts'
import { operation } from './operation.ts'

/** Of a kind in an account; or one by its name. */
export const listIdentities = operation({
  name: 'ListIdentities',
  readOnly: true,
  schema: identitySchema.extend({ name: z.string().optional() }),
  recorded: ['account', 'kind', 'name'],
  async run({ input: { name, ...input }, storage }) {
    const { kind } = input
    const records =
      name === undefined
        ? kinds[kind].all(accountOf(input, storage), storage)
        : [foundIdentity({ ...input, name }, storage)]
    const identities = records.map(record => ({
      name: nameOf(record),
      arn: record.arn,
      owner: record.owner,
      entry: written(entryOf(kind, record, storage)),
    }))
    return { identities: identities.sort((a, b) => (a.name < b.name ? -1 : 1)) }
  },
})
