import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { kindNames, kinds } from './kinds.ts'
import { accountId, operation } from './operation.ts'
import { named } from './xks-prefixes.ts'

/** Of an account that has nothing any more. */
export const deleteAccount = operation({
  name: 'DeleteAccount',
  schema: z.strictObject({ account: accountId }),
  recorded: ['account'],
  async run({ input: { account }, storage, changes }) {
    const record = storage.accounts.find(account)
    if (!record) throw new Failure('NotFound', `there is no account ${account}`)
    const keys = storage.keys.ofAccount(account)
    const service = keys.find(({ manager }) => manager)?.manager?.service
    if (service !== undefined)
      throw new Failure('Validation', `account ${account} has a key of ${service}, which cannot be deleted`)
    if (keys.length > 0)
      throw new Failure('Validation', `account ${account} has ${keys.length} KMS keys: schedule their deletion first`)
    const kind = kindNames.find(kind => kinds[kind].all(account, storage).length > 0)
    if (kind) throw new Failure('Validation', `account ${account} has a ${kind}: delete everything in it first`)
    const isOfAccount = (owned: { readonly account: string }) => owned.account === account
    const store = storage.customKeyStores.all().find(isOfAccount)
    if (store)
      throw new Failure('Validation', `account ${account} has the custom key store ${store.id}: delete it first`)
    const prefix = storage.xksPrefixes.all().find(isOfAccount)
    if (prefix) throw new Failure('Validation', `account ${account} has the ${named(prefix.name)}: delete it first`)
    changes.remove('accounts', record)
    return {}
  },
})
