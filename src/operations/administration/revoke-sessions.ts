import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { accountOf } from './accounts.ts'
import { accountId, operation, targetOf } from './operation.ts'

/** Sessions of a role, or of a user, that were issued until now are invalid from now on. */
export const revokeSessions = operation({
  name: 'RevokeSessions',
  schema: z.strictObject({ account: accountId.optional(), kind: z.enum(['role', 'user']), name: z.string() }),
  recorded: ['account', 'kind', 'name'],
  recordedOutput: ['revokedBefore'],
  target: {
    find({ kind, name, ...of }, { storage }) {
      const account = accountOf(of, storage)
      const principal = storage.principals.named(account, kind, name)
      if (!principal) throw new Failure('NotFound', `account ${account} has no ${kind} ${name}`)
      return { ...targetOf(principal.arn), principal }
    },
  },
  async run({ target: { principal }, changes, clock }) {
    // The clock may have been set back since.
    const revokedBefore = Math.max(clock(), principal.sessionsRevokedBefore ?? 0)
    changes.put('principals', { ...principal, sessionsRevokedBefore: revokedBefore })
    return { revokedBefore }
  },
})
