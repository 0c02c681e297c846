import { afterAll, beforeAll, expect, it } from 'vitest'
import { aliasArn } from '../../src/model/arn.ts'
import { operator } from '../../src/model/identities/caller.ts'
import { newServiceKey, type ServiceKeyPlace } from '../../src/model/keys/service-keys.ts'
import type { Hsms } from '../../src/services.ts'
import { Conflict } from '../../src/storage/storage.ts'
import { serviceKeysWith } from '../../src/vault/service-keys.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())

const place = { account: '111122223333', region: 'us-east-1' }
const caller = operator(undefined)
const now = 1_700_000_000_000

function keys() {
  const { services, hsm } = fixture
  const hsms: Hsms = { ...services.hsms, ofRegion: () => hsm, named: () => hsm, for: () => hsms }
  return serviceKeysWith({ ...services, hsms, clock: () => now })
}

let count = 0
const asked = (rest: Partial<ServiceKeyPlace> = {}, service = 's3') => {
  const id = `00000000-0000-4000-8000-${(count++).toString().padStart(12, '0')}`
  const owner = { ...place, service: `${service}.amazonaws.com`, owned: false, direct: false }
  return newServiceKey(id, `alias/aws/${service}`, { ...owner, ...rest })
}

it('creates one key for all who ask for it at the same time, and another one for the service itself', async () => {
  const { create } = keys()
  const owned = () => asked({ owned: true })
  const created = await Promise.all([asked(), asked(), owned(), asked(), owned()].map(key => create(key, caller)))
  const [managed, , own] = created
  expect(created).toEqual([managed, managed, own, managed, own])
  expect(managed).toMatchObject({
    creationDate: now,
    automaticRotation: { periodInDays: 365, nextDate: now + 365 * 24 * 60 * 60 * 1000 },
    manager: { service: 's3.amazonaws.com', owned: false },
    revision: 1,
  })
  expect((await fixture.objects()).sort()).toEqual([managed, own].map(key => key!.materials[0]!.id).sort())
  const { aliases } = fixture.storage
  expect(aliases.find(aliasArn(place, 'alias/aws/s3'))?.targetKeyArn).toBe(managed!.arn)
  expect(aliases.find(aliasArn({ ...place, account: '' }, 'alias/aws/s3'))?.targetKeyArn).toBe(own!.arn)
})

it('creates nothing while nothing can be put on record, and the key when it is asked for again', async () => {
  const before = await fixture.objects()
  const { create } = keys()
  fixture.journal.failing = true
  await expect(create(asked({}, 'sqs'), caller)).rejects.toMatchObject({ code: 'Internal' })
  expect(await fixture.objects()).toEqual(before)
  fixture.journal.failing = false
  const key = await create(asked({}, 'sqs'), caller)
  expect(fixture.storage.keys.find(key.arn)).toBe(key)
})

it('leaves no HSM object if the alias exists by then: the request is decided again', async () => {
  const before = await fixture.objects()
  const alias = fixture.storage.aliases.find(aliasArn(place, 'alias/aws/sqs'))!
  await expect(keys().create(asked({}, 'sqs'), caller)).rejects.toBeInstanceOf(Conflict)
  expect(await fixture.objects()).toEqual(before)
  expect(fixture.storage.aliases.find(alias.arn)).toBe(alias)
})
