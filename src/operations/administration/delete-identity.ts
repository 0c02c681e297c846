import { foundIdentity, identitySchema } from './identities.ts'
import { operation, targetOf } from './operation.ts'
import { IdentityPlan } from './plan.ts'

/** Refused while others have it, or a user has access keys. */
export const deleteIdentity = operation({
  name: 'DeleteIdentity',
  schema: identitySchema,
  target: { find: (input, { storage }) => targetOf(foundIdentity(input, storage).arn) },
  recorded: ['account', 'kind', 'name'],
  async run({ input, storage, clock, changes }) {
    const { account } = foundIdentity(input, storage)
    const plan = new IdentityPlan(storage, clock())
    plan.remove(input.kind, account, input.name)
    plan.commitTo(changes)
    return {}
  },
})
