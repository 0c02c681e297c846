import { z } from 'zod'
import { operation } from './operation.ts'

export const listAccounts = operation({
  name: 'ListAccounts',
  readOnly: true,
  schema: z.strictObject({}),
  recorded: [],
  async run({ storage }) {
    const accounts = [...storage.accounts.all()].sort((a, b) => (a.id < b.id ? -1 : 1))
    return { accounts: accounts.map(({ id, name, createdAt, owner }) => ({ id, name, createdAt, owner })) }
  },
})
