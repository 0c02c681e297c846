import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { accountId, operation } from './operation.ts'

export const createAccount = operation({
  name: 'CreateAccount',
  schema: z.strictObject({ account: accountId, name: z.string().min(1).max(50).optional() }),
  recorded: ['account', 'name'],
  async run({ input: { account: id, name }, storage, clock, changes }) {
    if (storage.accounts.find(id)) throw new Failure('AlreadyExists', `account ${id} exists`)
    changes.put('accounts', { id, name, createdAt: clock(), revision: 0 })
    return {}
  },
})
