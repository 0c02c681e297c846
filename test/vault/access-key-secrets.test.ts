import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AccessKey } from '../../src/model/identities/access-key.ts'
import type { Hsm, Services } from '../../src/services.ts'
import { sealSecret, unsealSecret } from '../../src/vault/access-key-secrets.ts'
import { createSystemKeys } from '../../src/vault/system-keys.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'
import { anAccessKey, aPrincipal } from '../storage/records.ts'

type Vault = Pick<Services, 'storage' | 'hsms'>

let first: Fixture
let second: Fixture
let vault: Vault

beforeAll(async () => {
  first = await openFixture(() => ({ name: 'first' }))
  second = await openFixture(() => ({ name: 'second' }))
  vault = { storage: first.storage, hsms: hsmsOf(first.hsm, second.hsm) }
  for (const { hsm } of [first, second]) await createSystemKeys(hsm, { ...first.services, clock: () => 0 }, {})
})
afterAll(async () => {
  await first?.close()
  await second?.close()
})

function hsmsOf(...all: Hsm[]): Services['hsms'] {
  const named = (name: string) => all.find(hsm => hsm.name === name)!
  return { ...first.services.hsms, all, named }
}

const accessKey = (id: string, sealedSecret: Uint8Array): AccessKey =>
  anAccessKey(id, aPrincipal('someone'), { sealedSecret })

const ids = fc.string({ minLength: 1, maxLength: 128, unit: 'grapheme' })
const secrets = fc.uint8Array({ minLength: 1, maxLength: 512 })
const numRuns = 20
const invalid = { code: 'InvalidCiphertext', message: '' }

describe('the secret of an access key', () => {
  it('is what it was after sealing and unsealing, on every HSM', async () => {
    const hsms = fc.constantFrom('first', 'second')
    await fc.assert(
      fc.asyncProperty(ids, secrets, hsms, async (id, secret, hsm) => {
        const sealed = await sealSecret(id, secret, hsm, vault)
        expect(await unsealSecret(accessKey(id, sealed), vault)).toEqual(Buffer.from(secret))
        if (secret.length >= 4) expect(Buffer.from(sealed).includes(Buffer.from(secret))).toBe(false)
      }),
      { numRuns },
    )
  })

  it('is sealed differently each time', async () => {
    const seal = () => sealSecret('AKIAEXAMPLE', Buffer.from('secret'), 'first', vault)
    expect(await seal()).not.toEqual(await seal())
  })

  it('is not unsealed for another access key', async () => {
    await fc.assert(
      fc.asyncProperty(ids, ids, secrets, async (id, other, secret) => {
        fc.pre(id !== other)
        const sealed = await sealSecret(id, secret, 'first', vault)
        await expect(unsealSecret(accessKey(other, sealed), vault)).rejects.toMatchObject(invalid)
      }),
      { numRuns },
    )
  })

  it('is not unsealed if a bit has changed, or the end is missing', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, fc.nat(), fc.nat({ max: 7 }), async (secret, at, bit) => {
        const sealed = Buffer.from(await sealSecret('AKIAEXAMPLE', secret, 'first', vault))
        const place = at % sealed.length
        const flipped = Buffer.from(sealed)
        flipped[place]! ^= 1 << bit
        for (const damaged of [flipped, sealed.subarray(0, place)])
          await expect(unsealSecret(accessKey('AKIAEXAMPLE', damaged), vault)).rejects.toMatchObject(invalid)
      }),
      { numRuns },
    )
  })

  it('is unavailable if the HSM that sealed it is no longer configured', async () => {
    const sealed = await sealSecret('AKIAEXAMPLE', Buffer.from('secret'), 'second', vault)
    const alone = { ...vault, hsms: hsmsOf(first.hsm) }
    await expect(unsealSecret(accessKey('AKIAEXAMPLE', sealed), alone)).rejects.toMatchObject({
      code: 'KeyUnavailable',
    })
  })

  it('is not sealed by an HSM that has no seal key', async () => {
    const empty = { ...vault, storage: second.storage }
    await expect(sealSecret('AKIAEXAMPLE', Buffer.from('secret'), 'first', empty)).rejects.toMatchObject({
      code: 'KeyUnavailable',
    })
  })
})
