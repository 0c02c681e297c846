import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemKeyPurposes } from '../../src/model/keys/key.ts'
import { Changes } from '../../src/storage/storage.ts'
import { checkCanary, createSystemKeys, missingSystemKeys } from '../../src/vault/system-keys.ts'
import { type House, openHouse } from '../jobs/house.ts'

let house: House

beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.close())

const create = () => createSystemKeys(house.hsm, { ...house.services, clock: () => 1000 }, { command: 'test' })
const materialOf = (purpose: (typeof systemKeyPurposes)[number]) =>
  house.storage.systemKeys.find(house.hsm.name, purpose)!.material

describe("the gateway's own keys", () => {
  it('are missing on a new HSM, which no canary can vouch for', async () => {
    expect(missingSystemKeys(house.hsm.name, house.storage)).toEqual(systemKeyPurposes)
    await expect(checkCanary(house.hsm.name, house.services)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('are created on the HSM, each with its record, and once only', async () => {
    await create()
    const ids = systemKeyPurposes.map(purpose => materialOf(purpose).id)
    expect((await house.objects()).sort()).toEqual([...ids].sort())
    expect(missingSystemKeys(house.hsm.name, house.storage)).toEqual([])
    const details = systemKeyPurposes.map((purpose, index) => ({ purpose, keyMaterialId: ids[index], command: 'test' }))
    expect(house.records).toMatchObject(
      details.map(additionalEventData => ({ eventName: 'CreateSystemKey', additionalEventData })),
    )

    await create()
    expect(systemKeyPurposes.map(purpose => materialOf(purpose).id)).toEqual(ids)
    expect(house.records).toHaveLength(ids.length)
  })

  it('are created one without the other, where only one is missing', async () => {
    const seal = materialOf('seal')
    const changes = new Changes()
    changes.remove('systemKeys', house.storage.systemKeys.find(house.hsm.name, 'canary')!)
    await house.storage.commit(changes)
    await create()
    expect(materialOf('seal')).toEqual(seal)
    expect(missingSystemKeys(house.hsm.name, house.storage)).toEqual([])
  })

  it('show that the HSM works, until the canary key is gone from it', async () => {
    await checkCanary(house.hsm.name, house.services)
    await house.hsm.destroyKey(materialOf('canary').id)
    await expect(checkCanary(house.hsm.name, house.services)).rejects.toThrow()
  })
})
