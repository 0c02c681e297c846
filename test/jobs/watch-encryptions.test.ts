import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { watchEncryptions } from '../../src/jobs/watch-encryptions.ts'
import { encryptionLimit, manyEncryptions, rotationThreshold } from '../../src/model/keys/encryption-limit.ts'
import { currentMaterial, type Key } from '../../src/model/keys/key.ts'
import type { JobServices, Storage } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'
import { createSystemKeys } from '../../src/vault/system-keys.ts'
import { type Fixture, openFixture } from './fixture.ts'

let fixture: Fixture
let key: Key
/** Encryptions by material. */
const made = new Map<string, number>()

beforeAll(async () => {
  fixture = await openFixture()
  await createSystemKeys(fixture.hsm, { ...fixture.services, clock: () => 0 }, {})
})
afterAll(() => fixture?.close())
let number = 0
beforeEach(async () => {
  made.clear()
  fixture.records.length = 0
  fixture.logged.length = 0
  key = await fixture.key(++number)
})

const stored = () => fixture.storage.keys.find(key.arn)!
const seal = () => fixture.storage.systemKeys.find(fixture.hsm.name, 'seal')!.material.id
const events = () => fixture.logged.map(({ event }) => event)
function start(services: Partial<JobServices> = {}): () => Promise<void> {
  const { keys, systemKeys } = fixture.storage
  const encryptions: Storage['encryptions'] = { made: id => made.get(id) ?? 0, count: () => undefined }
  const storage = { keys, systemKeys, encryptions } as Storage
  return watchEncryptions.start({ ...fixture.services, storage, ...services })
}

it('reports the highest count of each kind of key', async () => {
  const other = await fixture.key(++number)
  made.set(currentMaterial(key).id, 7).set(currentMaterial(other).id, 5).set(seal(), 3)
  await start()()
  expect(fixture.encryptions).toEqual({ kms_key: 7, seal: 3, canary: 0 })
  expect(fixture.logged).toEqual([])
})

it('warns of a key once at half of the limit, and once at the limit', async () => {
  const run = start()
  for (const count of [manyEncryptions - 1, manyEncryptions, manyEncryptions + 1, encryptionLimit, encryptionLimit]) {
    made.set(seal(), count)
    await run()
  }
  const fields = { hsm: fixture.hsm.name, key: 'seal', material: seal(), limit: encryptionLimit }
  expect(fixture.logged).toEqual([
    { event: 'encryption_limit_near', ...fields, encryptions: manyEncryptions },
    { event: 'encryption_limit_reached', ...fields, encryptions: encryptionLimit },
  ])
})

it('rotates a key near the limit, and records why', async () => {
  const before = currentMaterial(key)
  made.set(before.id, rotationThreshold - 1)
  const run = start()
  await run()
  expect(stored().materials).toEqual([before])
  made.set(before.id, rotationThreshold)
  await run()
  await run()
  expect(stored().materials).toHaveLength(2)
  expect(events()).toEqual(['encryption_limit_near', 'key_rotated_at_limit'])
  expect(fixture.records).toMatchObject([
    {
      eventName: 'RotateKey',
      resources: [{ ARN: key.arn }],
      serviceEventDetails: {
        rotationType: 'AUTOMATIC',
        previousKeyMaterialId: before.id,
        currentKeyMaterialId: currentMaterial(stored()).id,
        reason: 'ENCRYPTION_LIMIT',
        encryptions: rotationThreshold,
      },
    },
  ])
  expect(fixture.encryptions).toMatchObject({ kms_key: 0 })
})

it.each<[string, Partial<Key>]>([
  ['imported', { origin: 'EXTERNAL' }],
  ['disabled', { state: 'Disabled' }],
  ['of a faulty HSM object', { custodyFault: 'missing' }],
])('does not rotate a key that is %s', async (_, state) => {
  const changes = new Changes()
  changes.put('keys', { ...key, ...state })
  await fixture.storage.commit(changes)
  made.set(currentMaterial(key).id, encryptionLimit)
  await start()()
  expect(stored().materials).toHaveLength(1)
  expect(events()).toEqual(['encryption_limit_reached'])
})

it('rotates at the next run what could not be rotated at this one', async () => {
  made.set(currentMaterial(key).id, rotationThreshold)
  const { outbox } = fixture.services
  const unrecorded = { ...outbox, ready: async () => {}, record: () => Promise.reject(new Conflict('changed')) }
  const objects = await fixture.objects()
  await start({ outbox: unrecorded as JobServices['outbox'] })()
  expect(stored().materials).toHaveLength(1)
  expect(await fixture.objects()).toEqual(objects)
  expect(events()).toEqual(['encryption_limit_near', 'key_rotation_failed'])
  await start({ steadyClock: { now: async () => undefined } })()
  expect(stored().materials).toHaveLength(1)
  await start()()
  expect(stored().materials).toHaveLength(2)
})
