import { describe, expect, it } from 'vitest'
import type { Key, KeyMaterial } from '../../../src/model/keys/key.ts'
import { keyState } from '../../../src/model/keys/key-state.ts'
import { checkPrimary, multiRegionConfiguration, replicaOf, withShared } from '../../../src/model/keys/multi-region.ts'
import { aKey, aMaterial, anObject } from '../../storage/records.ts'

const id = 'mrk-1234abcd12ab34cd56ef1234567890ab'
const rotation = { type: 'AUTOMATIC', date: 5 } as const
const primary = aKey(1, {
  id,
  multiRegion: 'PRIMARY',
  state: 'Disabled',
  description: 'of the primary',
  tags: [{ TagKey: 'a', TagValue: 'b' }],
  materials: [aMaterial(1), { ...aMaterial(2), rotation }],
  automaticRotation: { periodInDays: 90, nextDate: 7 },
})
const own = { description: '', tags: [], policy: '{}', creationDate: 9 }
const objects = new Map([1, 2].map(number => [aMaterial(number).id, anObject(number + 10, { hsm: 'second' })]))
const replica = replicaOf(primary, 'us-east-1', own, objects)

describe('a replica key', () => {
  it('shares id, kind, materials and automatic rotation with its primary key, and nothing else', () => {
    const { arn, id, account, region, spec, usage, origin, materials, automaticRotation, ...rest } = replica
    expect(arn).toBe(`arn:aws:kms:us-east-1:${primary.account}:key/${id}`)
    expect({ id, account, spec, usage, origin, automaticRotation }).toEqual({
      id: primary.id,
      account: primary.account,
      spec: primary.spec,
      usage: primary.usage,
      origin: primary.origin,
      automaticRotation: primary.automaticRotation,
    })
    expect(region).toBe('us-east-1')
    expect(materials.map(({ object: _, ...material }) => material)).toEqual(
      primary.materials.map(({ object: _, ...material }) => material),
    )
    expect(materials.map(({ object }) => object)).toEqual([...objects.values()])
    expect(rest).toEqual({ ...own, state: 'Enabled', multiRegion: 'REPLICA', pendingMaterial: undefined, revision: 0 })
  })

  it('of an imported key waits for every material, the pending one, too', () => {
    const imported = (number: number): KeyMaterial => ({ ...aMaterial(number), imported: { validTo: 100 } })
    const source = aKey(1, { id, multiRegion: 'PRIMARY', origin: 'EXTERNAL', materials: [imported(1)] })
    const waiting = replicaOf({ ...source, pendingMaterial: imported(2) }, 'us-east-1', own, new Map())
    expect(keyState(waiting)).toBe('PendingImport')
    for (const material of [...waiting.materials, waiting.pendingMaterial!])
      expect(material).toMatchObject({ object: undefined, imported: {} })
    expect(keyState(replicaOf({ ...source, materials: [] }, 'us-east-1', own, new Map()))).toBe('PendingImport')
  })

  it('keeps its own objects and imports when what is shared changes', () => {
    const kept = {
      ...replica,
      materials: replica.materials.map(material => ({ ...material, imported: { validTo: 3 } })),
    }
    const rotated = { ...primary, materials: [...primary.materials, aMaterial(3)], automaticRotation: undefined }
    const after = withShared(kept, rotated, new Map([[aMaterial(3).id, anObject(13, { hsm: 'second' })]]))
    expect(after.materials.map(({ object, imported }) => [object?.id, imported])).toEqual([
      [anObject(11).id, { validTo: 3 }],
      [anObject(12).id, { validTo: 3 }],
      [anObject(13).id, undefined],
    ])
    expect(after.automaticRotation).toBeUndefined()
    expect({ ...after, materials: kept.materials, automaticRotation: kept.automaticRotation }).toEqual(kept)
  })
})

describe('MultiRegionConfiguration', () => {
  const other = replicaOf(primary, 'ap-south-1', own, objects)
  const name = ({ arn: Arn, region: Region }: Key) => ({ Arn, Region })

  it('is the same in each region, but for the type', () => {
    const all = [primary, replica, other]
    for (const key of all) {
      expect(
        multiRegionConfiguration(
          key,
          all.filter(related => related !== key),
        ),
      ).toEqual({
        MultiRegionKeyType: key.multiRegion,
        PrimaryKey: name(primary),
        ReplicaKeys: [name(other), name(replica)],
      })
    }
  })

  it('lists no replicas of a key that has none, and is absent for a single-Region key', () => {
    const configuration = { MultiRegionKeyType: 'PRIMARY', PrimaryKey: name(primary), ReplicaKeys: [] }
    expect(multiRegionConfiguration(primary, [])).toEqual(configuration)
    expect(multiRegionConfiguration(aKey(1), [])).toBeUndefined()
  })
})

describe('a primary key', () => {
  it.each([
    [aKey(1), `${aKey(1).arn} is not a multi-region key.`],
    [replica, `${replica.arn} is not a multi-region primary key.`],
  ])('is no other key', (key, message) => {
    expect(() => checkPrimary(key)).toThrow(expect.objectContaining({ code: 'UnsupportedOperation', message }))
    expect(() => checkPrimary(primary)).not.toThrow()
  })
})
