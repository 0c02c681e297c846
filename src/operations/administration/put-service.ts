import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { isServiceName } from '../../model/identities/service-names.ts'
import { findPartition } from '../../model/partitions.ts'
import { accountId, operation } from './operation.ts'

const partition = findPartition('us-east-1')

/** A name without a region: callers in every region know the service by it. */
const serviceName = z
  .string()
  .max(128)
  .refine(name => isServiceName(name, partition), 'not a service principal, such as s3.amazonaws.com')

/** Creates a service, or replaces the accounts in which it may act. */
export const putService = operation({
  name: 'PutService',
  schema: z.strictObject({
    name: serviceName,
    user: z.strictObject({ account: accountId, name: z.string() }),
    accounts: z.array(accountId).min(1).max(10_000),
  }),
  recorded: ['name', 'user', 'accounts'],
  async run({ input: { name, user, accounts }, storage: { principals, services }, clock, changes }) {
    const found = principals.named(user.account, 'user', user.name)
    if (!found) throw new Failure('NotFound', `account ${user.account} has no user ${user.name}`)
    const existing = services.find(name)
    const other = services.ofUser(found.arn)
    if (other && other.name !== name)
      throw new Failure('AlreadyExists', `the access keys of ${found.arn} are those of ${other.name} already`)
    const created = { createdAt: clock(), revision: 0 }
    const service = { ...(existing ?? created), name, userArn: found.arn, accounts: [...new Set(accounts)].sort() }
    changes.put('services', service)
    return { name, userArn: found.arn, accounts: service.accounts }
  },
})
