import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { accountOf } from './accounts.ts'
import { checkedEntry, identitySchema } from './identities.ts'
import { kinds } from './kinds.ts'
import { operation } from './operation.ts'
import { IdentityPlan } from './plan.ts'

export const createIdentity = operation({
  name: 'CreateIdentity',
  schema: identitySchema.extend({ entry: z.record(z.string(), z.unknown()) }),
  recorded: ['account', 'kind', 'name', 'entry'],
  recordedOutput: ['arn'],
  async run({ input, storage, clock, changes }) {
    const { kind, name } = input
    const account = accountOf(input, storage)
    if (kinds[kind].find(account, name, storage)) {
      throw new Failure('AlreadyExists', `account ${account} has a ${kind} ${name} already`)
    }
    const plan = new IdentityPlan(storage, clock())
    plan.put(kind, account, name, checkedEntry(kind, name, input.entry))
    plan.commitTo(changes)
    return { arn: plan.steps[0]!.arn }
  },
})
