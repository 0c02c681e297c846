import { describe, expect, it } from 'vitest'
import { conditionValues } from '../../../src/model/condition-keys.ts'
import type { Caller } from '../../../src/model/identities/caller.ts'
import type { KeyUse } from '../../../src/model/keys/key-use.ts'
import { unusedKey, usageConditionKeys } from '../../../src/operations/kms/tracking.ts'
import type { Storage } from '../../../src/services.ts'
import { account, aKey, region } from '../../storage/records.ts'

const day = 24 * 60 * 60 * 1000
const key = aKey(1)
const created = key.creationDate

/** What conditions on the key see, `days` after its creation. */
async function valueAt(
  days: number,
  {
    use,
    trackingStart = 0,
    asMissing = false,
    identifier = key.arn,
  }: {
    use?: Partial<KeyUse>
    trackingStart?: number
    asMissing?: boolean
    identifier?: string
  } = {},
) {
  const keys = { find: (arn: string) => (arn === key.arn ? key : undefined), lastUse: async () => use }
  const storage = { keys, trackingStart, grants: {} } as unknown as Storage
  const search = { caller: { account, region } as Caller, storage, operation: 'DisableKey', hsms: undefined as never }
  const target = await unusedKey({ state: 'enable' }).find({ KeyId: identifier }, search as never)
  const asked = { target, now: created + days * day, asMissing }
  return conditionValues(usageConditionKeys, 'kms:trailingdayswithoutkeyusage', asked)
}

describe('the number of days without use of a key', () => {
  it('counts whole days from its last use', async () => {
    const use = { usedAt: created + 10 * day }
    expect(await valueAt(10, { use })).toEqual(['0'])
    expect(await valueAt(10.99, { use })).toEqual(['0'])
    expect(await valueAt(11, { use })).toEqual(['1'])
    expect(await valueAt(100.5, { use })).toEqual(['90'])
  })

  it('counts from its creation if it was not used, or from when tracking began', async () => {
    expect(await valueAt(7)).toEqual(['7'])
    expect(await valueAt(7, { trackingStart: created + 5 * day })).toEqual(['2'])
    expect(await valueAt(7, { trackingStart: created - day })).toEqual(['7'])
  })

  it('is not negative if the clock was set back', async () => {
    expect(await valueAt(7, { use: { usedAt: created + 8 * day } })).toEqual(['0'])
  })

  it('is unknown for keys of other accounts, whether they exist or not', async () => {
    expect(await valueAt(7, { asMissing: true })).toBeUndefined()
    expect(await valueAt(7, { identifier: aKey(2, { account: '444455556666' }).arn })).toBeUndefined()
  })
})
