import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { OperatorError } from '../../src/errors.ts'
import { createSeedKeys } from '../../src/vault/seed-keys.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())

const place = { account: '111122223333', region: 'us-east-1' }

function create(keys: readonly ReturnType<typeof key>[]): Promise<void> {
  const { services, hsm } = fixture
  const hsms = { ...services.hsms, ofRegion: () => hsm }
  return createSeedKeys({ keys, aliases: [] }, place, { ...services, hsms, clock: () => 0 })
}

const key = (...materials: Uint8Array[]) =>
  ({
    id: randomUUID(),
    spec: 'SYMMETRIC_DEFAULT',
    usage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    description: '',
    materials,
  }) as const

it('leaves no key material of a seed key that cannot be imported as a whole', async () => {
  const wrong = key(randomBytes(32), randomBytes(16))
  await expect(create([wrong])).rejects.toThrow(
    new OperatorError(
      `seed file: key ${wrong.id}: The key material is invalid: a key of key spec SYMMETRIC_DEFAULT has 32 bytes, not 16.`,
    ),
  )
  expect(await fixture.objects()).toEqual([])
})

it('imports every key material of a seed key', async () => {
  const keys = [key(randomBytes(32), randomBytes(32))]
  await create(keys)
  const { materials } = fixture.storage.keys.find(`arn:aws:kms:us-east-1:111122223333:key/${keys[0]!.id}`)!
  expect(await fixture.objects()).toEqual(expect.arrayContaining(materials.map(({ id }) => id)))
  expect(materials).toMatchObject([{}, { rotation: { type: 'AUTOMATIC', date: 0 } }])
  expect(materials[0]!.rotation).toBeUndefined()
})
