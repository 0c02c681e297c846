import { operation, unconditional } from './operation.ts'

export const getCallerIdentity = operation('GetCallerIdentity')({
  target: unconditional,
  recorded: [],
  async run({ caller }) {
    const { principalId, account, arn } = caller
    return { UserId: principalId, Account: account, Arn: arn }
  },
})
