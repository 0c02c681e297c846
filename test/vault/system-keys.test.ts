import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encryptionPurposes } from '../../src/model/keys/key.ts'
import { Changes } from '../../src/storage/storage.ts'
import { checkCanary, createSystemKeys, forgetCanary, missingSystemKeys } from '../../src/vault/system-keys.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'

let fixture: Fixture

beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())

const create = () => createSystemKeys(fixture.hsm, { ...fixture.services, clock: () => 1000 }, { command: 'test' })
const materialOf = (purpose: (typeof encryptionPurposes)[number]) =>
  fixture.storage.systemKeys.find(fixture.hsm.name, purpose)!.material

describe('the system keys of an HSM', () => {
  it('are missing on a new HSM', async () => {
    expect(missingSystemKeys(fixture.hsm.name, fixture.storage)).toEqual(encryptionPurposes)
    await expect(checkCanary(fixture.hsm.name, fixture.services)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('are created on the HSM once, each with an audit record', async () => {
    await create()
    const ids = encryptionPurposes.map(purpose => materialOf(purpose).id)
    expect((await fixture.objects()).sort()).toEqual([...ids].sort())
    expect(missingSystemKeys(fixture.hsm.name, fixture.storage)).toEqual([])
    const details = encryptionPurposes.map((purpose, index) => ({
      purpose,
      keyMaterialId: ids[index],
      command: 'test',
    }))
    expect(fixture.records).toMatchObject(
      details.map(additionalEventData => ({ eventName: 'CreateSystemKey', additionalEventData })),
    )

    await create()
    expect(encryptionPurposes.map(purpose => materialOf(purpose).id)).toEqual(ids)
    expect(fixture.records).toHaveLength(ids.length)
  })

  it('are created one without the other, where only one is missing', async () => {
    const seal = materialOf('seal')
    const changes = new Changes()
    changes.remove('systemKeys', fixture.storage.systemKeys.find(fixture.hsm.name, 'canary')!)
    await fixture.storage.commit(changes)
    await create()
    expect(materialOf('seal')).toEqual(seal)
    expect(missingSystemKeys(fixture.hsm.name, fixture.storage)).toEqual([])
  })

  it('outlive the custom key store that leaves an HSM, but for the canary key, and that if no KMS key is there', async () => {
    const { storage, hsm } = fixture
    const [canary, seal] = [materialOf('canary').id, materialOf('seal').id]
    const leave = async () => {
      const changes = new Changes()
      forgetCanary(changes, hsm.name, storage)
      await storage.commit(changes)
    }
    const key = await fixture.key(1)
    await leave()
    expect(materialOf('canary').id).toBe(canary)
    const removal = new Changes()
    removal.remove('keys', storage.keys.find(key.arn)!)
    await storage.commit(removal)
    await leave()
    expect(missingSystemKeys(hsm.name, storage)).toEqual(['canary'])
    expect(storage.destructions.list().map(({ object }) => object)).toEqual([canary])
    expect(materialOf('seal').id).toBe(seal)
    await create()
  })

  it('show that the HSM works, until the canary key is missing', async () => {
    await checkCanary(fixture.hsm.name, fixture.services)
    await fixture.hsm.destroyKey(materialOf('canary').id)
    await expect(checkCanary(fixture.hsm.name, fixture.services)).rejects.toThrow()
  })
})
