import { z } from 'zod'
import type { Principal } from '../../model/identities/principal.ts'
import { shownAccessKey } from './access-keys.ts'
import { accountOf, userOf } from './accounts.ts'
import { accountId, operation, targetOf } from './operation.ts'

/** Of a user, or of all users of an account. */
export const listAccessKeys = operation({
  name: 'ListAccessKeys',
  readOnly: true,
  schema: z.strictObject({ account: accountId.optional(), user: z.string().optional() }),
  recorded: ['account', 'user'],
  target: {
    find({ user, account }, search) {
      if (user !== undefined) {
        const target = userOf({ user, account }, search.storage)
        return { ...targetOf(target.arn), users: [target] as readonly Principal[] }
      }
      const users = search.storage.principals.ofAccount(accountOf({ account }, search.storage))
      return { ...targetOf(), users }
    },
  },
  async run({ target: { users }, storage }) {
    const found = users.flatMap(user =>
      storage.accessKeys.ofPrincipal(user.arn).map(accessKey => ({ user, accessKey })),
    )
    const accessKeys = await Promise.all(found.map(({ user, accessKey }) => shownAccessKey(accessKey, user, storage)))
    return {
      accessKeys: accessKeys.sort((a, b) => compare(a.userName, b.userName) || compare(a.accessKeyId, b.accessKeyId)),
    }
  },
})

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
