import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { OperatorError } from '../../src/errors.ts'
import { importedMaterialId } from '../../src/model/keys/imported-material.ts'
import { keyState } from '../../src/model/keys/key-state.ts'
import type { SeedKey } from '../../src/seed-file.ts'
import { createSeedKeys } from '../../src/vault/seed-keys.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())

const place = { account: '111122223333', region: 'us-east-1' }

function create(keys: readonly SeedKey[]): Promise<void> {
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

const stored = (id: string) => fixture.storage.keys.find(`arn:aws:kms:us-east-1:111122223333:key/${id}`)!

it('creates an imported key as if its material had been imported, or pending import', async () => {
  const materials = [randomBytes(32), randomBytes(32)]
  const [whole, empty] = [
    { ...key(...materials.map(bytes => Buffer.from(bytes))), origin: 'EXTERNAL' },
    { ...key(), origin: 'EXTERNAL' },
  ] as const
  await create([whole, empty])
  expect(keyState(stored(empty.id))).toBe('PendingImport')
  expect(keyState(stored(whole.id))).toBe('Enabled')
  const found = stored(whole.id).materials
  expect(found).toMatchObject([{ imported: {} }, { imported: {}, rotation: { type: 'ON_DEMAND', date: 0 } }])
  for (const [index, bytes] of materials.entries()) {
    const object = randomBytes(32).toString('hex')
    const { fingerprint } = await fixture.hsm.importKey(object, whole.spec, whole.usage, 'again', bytes)
    expect(found[index]!.id).toBe(importedMaterialId(stored(whole.id), fingerprint!))
  }
})

it('leaves nothing of a key that has one material twice', async () => {
  const before = await fixture.objects()
  const twice = { ...key(Buffer.alloc(32, 1), Buffer.alloc(32, 1)), origin: 'EXTERNAL' } as const
  await expect(create([twice])).rejects.toThrow(`seed file: key ${twice.id}: two of its BackingKeys are the same`)
  expect(await fixture.objects()).toEqual(before)
})

it('creates a primary key of a multi-Region key, unless that exists in another region', async () => {
  const [id, elsewhere] = [`mrk-${'0a'.repeat(16)}`, `mrk-${'0b'.repeat(16)}`]
  await fixture.key(1, { id: elsewhere, region: 'eu-west-1', multiRegion: 'PRIMARY' })
  await create([
    { ...key(randomBytes(32)), id },
    { ...key(randomBytes(32)), id: elsewhere },
  ])
  expect(stored(id)).toMatchObject({ multiRegion: 'PRIMARY', materials: [{}] })
  expect(stored(elsewhere)).toBeUndefined()
})
