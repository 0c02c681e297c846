import { describe, expect, it } from 'vitest'
import { deleteAccount } from '../../../src/operations/administration/delete-account.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { Changes, type Noun, type Records } from '../../../src/storage/storage.ts'
import { openHere } from '../../storage/open.ts'
import { aCustomKeyStore, account, aKey, anAccount, anXksPrefix, aPrincipal } from '../../storage/records.ts'

describe('deleting an account', () => {
  /** Whether it is deleted, with this in it. */
  async function outcome<N extends Noun>(noun: N, record: Records[N]): Promise<string> {
    const storage = await openHere(sqlite(':memory:', { create: true }))
    try {
      const before = new Changes()
      before.put('accounts', anAccount(account))
      before.put(noun, record)
      await storage.commit(before)
      const changes = new Changes()
      await deleteAccount.run({ input: { account }, storage, changes } as never)
      return changes.list.map(({ noun, action }) => `${action} ${noun}`).join()
    } catch (error) {
      return (error as Error).message
    } finally {
      await storage.close()
    }
  }

  it.each<[string, Noun, Records[Noun], string]>([
    ['a key', 'keys', aKey(1), 'has 1 KMS keys'],
    ['an identity', 'principals', aPrincipal('alice'), 'has a user'],
    ['a custom key store', 'customKeyStores', aCustomKeyStore(1), 'has the custom key store cks-'],
    ['an XKS prefix', 'xksPrefixes', anXksPrefix('a'), 'has the XKS prefix a'],
  ])('is refused while it has %s, which the next account of this id would own', async (_, noun, record, message) => {
    expect(await outcome(noun, record)).toContain(message)
  })

  it('takes no notice of those of others', async () => {
    const other = '444455556666'
    expect(await outcome('xksPrefixes', anXksPrefix('a', { account: other }))).toBe('remove accounts')
    expect(await outcome('customKeyStores', { ...aCustomKeyStore(1), account: other })).toBe('remove accounts')
  })
})
