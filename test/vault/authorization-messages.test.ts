import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AccessDenied, type Refusal } from '../../src/errors.ts'
import { sealAuthorizationMessage, unsealAuthorizationMessage } from '../../src/vault/authorization-messages.ts'
import { createSystemKeys } from '../../src/vault/system-keys.ts'
import { aUser } from '../authorization/users.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await openFixture()
  await createSystemKeys(fixture.hsm, { ...fixture.services, clock: () => 0 }, {})
})
afterAll(() => fixture?.close())

const account = '111122223333'
const caller = aUser(`arn:aws:iam::${account}:user/alice`, [])
const key = `arn:aws:kms:eu-west-1:${account}:key/1`
// The registry of the fixture has no regions: the first HSM seals.
const vault = () => ({ storage: fixture.storage, hsms: fixture.hsms })
const seal = (refusal: Partial<Refusal>) =>
  sealAuthorizationMessage(
    new AccessDenied('No.', { action: 'kms:X', resource: key, reasons: [], ...refusal }),
    caller,
    vault(),
  )

describe('an encoded authorization message', () => {
  it('is read by principals of the account only', async () => {
    const text = (await seal({ reasons: ['Because.'], explicitDeny: true }))!
    expect(JSON.parse((await unsealAuthorizationMessage(text, account, vault()))!)).toEqual({
      allowed: false,
      explicitDeny: true,
      reasons: ['Because.'],
      context: { principal: { id: caller.principalId, arn: caller.arn }, action: 'kms:X', resource: key },
    })
    expect(await unsealAuthorizationMessage(text, '444455556666', vault())).toBeUndefined()
  })

  it('fits a request to decode it, however long the reasons are', async () => {
    for (const letter of ['x', 'é', '"', '\u0000']) {
      const text = (await seal({ reasons: Array(10).fill(letter.repeat(512)) }))!
      expect(text.length).toBeLessThanOrEqual(10_240)
      const { reasons } = JSON.parse((await unsealAuthorizationMessage(text, account, vault()))!)
      expect(reasons.length).toBeGreaterThan(0)
    }
  })

  it.each<[string, Partial<Refusal>]>([
    ['of another account', { resource: 'arn:aws:kms:eu-west-1:444455556666:key/1' }],
    ['that is unknown', { action: undefined } as unknown as Partial<Refusal>],
  ])('does not exist for a resource %s', async (_, refusal) => {
    expect(await seal(refusal)).toBeUndefined()
  })
})
