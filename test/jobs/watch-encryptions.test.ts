import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { checkCustody } from '../../src/jobs/check-custody.ts'
import { watchEncryptions } from '../../src/jobs/watch-encryptions.ts'
import { encryptionLimit, manyEncryptions, rotationThreshold } from '../../src/model/keys/encryption-limit.ts'
import { currentMaterial, type Key } from '../../src/model/keys/key.ts'
import type { JobServices, Storage } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'
import { sealToken, unsealToken } from '../../src/vault/sealed-tokens.ts'
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
  const canary = fixture.storage.systemKeys.find(fixture.hsm.name, 'canary')!.material.id
  for (const count of [manyEncryptions - 1, manyEncryptions, manyEncryptions + 1, encryptionLimit, encryptionLimit]) {
    made.set(canary, count)
    await run()
  }
  const fields = { hsm: fixture.hsm.name, key: 'canary', material: canary, limit: encryptionLimit }
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

it('rotates a seal key near the limit, and what it sealed before can still be unsealed', async () => {
  const { services, storage, hsm, hsms } = fixture
  const vault = { storage, hsms }
  const context = { purpose: 'test' }
  const before = seal()
  const tokens = [await sealToken(Buffer.from('first'), context, hsm.name, vault)]
  for (let rotation = 0; rotation < 2; rotation++) {
    made.clear()
    made.set(seal(), rotationThreshold)
    const run = start()
    await run()
    await run()
    tokens.push(await sealToken(Buffer.from('next'), context, hsm.name, vault))
  }
  const { material, former } = storage.systemKeys.find(hsm.name, 'seal')!
  expect(former?.map(({ id }) => id)).toEqual([before, expect.any(String)])
  expect(new Set([material.id, ...former!.map(({ id }) => id)]).size).toBe(3)
  const texts = await Promise.all(tokens.map(token => unsealToken(token, context, vault)))
  expect(texts.map(text => Buffer.from(text!).toString())).toEqual(['first', 'next', 'next'])
  expect(fixture.records).toMatchObject([
    {
      eventName: 'RotateSystemKey',
      additionalEventData: { purpose: 'seal', previousKeyMaterialId: before, reason: 'ENCRYPTION_LIMIT' },
    },
    { eventName: 'RotateSystemKey' },
  ])
  // The former ones are no orphans, and are checked.
  expect(storage.keys.objects().has(before)).toBe(true)
  await hsm.destroyKey(before)
  const check = checkCustody.start(services)
  for (let run = 0; run < 10 && fixture.unhealthy.systemKeys === 0; run++) await check()
  expect(fixture.unhealthy).toMatchObject({ systemKeys: 1 })
})

it('rotates a multi-Region key once, by its primary key, whichever region has made the encryptions', async () => {
  const id = 'mrk-1234abcd12ab34cd56ef1234567890ab'
  const replica = await fixture.key(++number, { id, region: 'us-east-1', multiRegion: 'REPLICA' })
  key = await fixture.key(++number, { id, materials: replica.materials, multiRegion: 'PRIMARY' })
  made.set(currentMaterial(replica).id, rotationThreshold)
  await start()()
  const [primary, other] = [stored(), fixture.storage.keys.find(replica.arn)!]
  expect(primary.materials).toHaveLength(2)
  expect(other.materials).toEqual(primary.materials)
  expect(events()).toEqual(['encryption_limit_near', 'key_rotated_at_limit'])
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
