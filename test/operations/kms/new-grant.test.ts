import { describe, expect, it } from 'vitest'
import { newGrant } from '../../../src/operations/kms/new-grant.ts'
import type { Search } from '../../../src/operations/operation.ts'
import type { Storage } from '../../../src/services.ts'
import { aUser } from '../../authorization/users.ts'
import { account, aGrant, aKey, region } from '../../storage/records.ts'

const key = aKey(1)
const existing = aGrant(1, key)

/** The check of a request for another grant of a key that has so many. */
async function check(count: number, Name?: string): Promise<void> {
  const storage = {
    keys: { find: () => key },
    customKeyStores: { ofKey: () => undefined },
    grants: { count: () => count, findByFingerprint: () => existing },
    principals: { withId: () => undefined, isKnown: () => false },
  } as unknown as Storage
  const caller = { ...aUser(`arn:aws:iam::${account}:user/alice`, []), region }
  const search: Search = { caller, storage, hsms: undefined as never, operation: 'CreateGrant' }
  const input = { KeyId: key.arn, GranteePrincipal: `arn:aws:iam::${account}:root`, Operations: ['Encrypt' as const] }
  const target = await newGrant.find({ ...input, Name }, search)
  target.check()
}

describe('a key with 50,000 grants', () => {
  it('gets no other one', async () => {
    await check(49_999)
    for (const count of [50_000, 50_001]) {
      await expect(check(count)).rejects.toMatchObject({
        code: 'LimitExceeded',
        message: 'A KMS key can have 50000 grants at most.',
      })
    }
  })

  it('still answers with a grant that it has', async () => {
    await check(50_000, 'named')
  })
})
