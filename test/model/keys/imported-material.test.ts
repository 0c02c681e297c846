import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { keyArn } from '../../../src/model/arn.ts'
import {
  expirationOf,
  importedMaterialId,
  regionsWithoutPending,
  withImported,
  withoutObject,
} from '../../../src/model/keys/imported-material.ts'
import type { Key } from '../../../src/model/keys/key.ts'
import { keyState } from '../../../src/model/keys/key-state.ts'
import { withShared } from '../../../src/model/keys/multi-region.ts'
import { aKey, aMaterial, anObject } from '../../storage/records.ts'

const [first, second, third] = [aMaterial(1), aMaterial(2), aMaterial(3)]
const isNew = { type: 'NEW_KEY_MATERIAL' } as const
const external = (rest: Partial<Key> = {}) => aKey(1, { origin: 'EXTERNAL', materials: [first], ...rest })
const gone = (material: Key['materials'][number]) => ({ ...material, object: undefined })
const other = anObject(9)

const home = '111122223333'

describe('the id of imported material', () => {
  it('is that of a key and its material, and tells neither', () => {
    const [one, another] = [randomBytes(32), randomBytes(32)]
    const key = { account: home, id: 'key', arn: keyArn({ account: home, region: 'eu-west-1' }, 'key') }
    const others = [
      { account: home, region: 'eu-west-1', id: 'other' },
      { account: '444455556666', region: 'eu-west-1', id: 'key' },
      { account: home, region: 'us-east-1', id: 'key' },
    ].map(place => ({ ...place, arn: keyArn(place, place.id) }))
    const ids = [...[key, ...others].map(each => importedMaterialId(each, one)), importedMaterialId(key, another)]
    expect(new Set(ids).size).toBe(5)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{64}$/)
    expect(importedMaterialId(key, Uint8Array.from(one))).toBe(ids[0])
  })

  it('is the same in every Region of a multi-Region key, and in no other partition', () => {
    const [id, material] = ['mrk-1234abcd12ab34cd56ef1234567890ab', randomBytes(32)]
    const ids = ['eu-west-1', 'us-east-1'].map(region =>
      importedMaterialId({ id, arn: keyArn({ account: home, region }, id) }, material),
    )
    expect(ids[0]).toBe(ids[1])
    const elsewhere = keyArn({ account: home, region: 'us-gov-west-1' }, id)
    expect(importedMaterialId({ id, arn: elsewhere }, material)).not.toBe(ids[0])
  })
})

describe('an import', () => {
  it.each([{}, isNew])('of the first material enables the key: %j', request => {
    const key = withImported(external({ materials: [] }), first.id, other, { ...request, validTo: 7 }, 5)
    expect(key.materials).toEqual([{ id: first.id, createdAt: 5, object: other, imported: { validTo: 7 } }])
    expect(keyState(key)).toBe('Enabled')
  })

  it('cannot bring back what a key never had', () => {
    const type = 'EXISTING_KEY_MATERIAL'
    for (const key of [external({ materials: [] }), external(), external({ pendingMaterial: second })])
      expect(() => withImported(key, third.id, other, { type }, 0)).toThrow(
        expect.objectContaining({ code: 'IncorrectKeyMaterial' }),
      )
  })

  it('keeps when the material came, how it became current and its description, and takes its new date', () => {
    const rotation = { type: 'ON_DEMAND', date: 3 } as const
    const known = { ...second, rotation, imported: { validTo: 4, description: 'known' } }
    const key = withImported(external({ materials: [first, known] }), second.id, other, { validTo: 8 }, 5)
    expect(key.materials).toEqual([first, { ...known, object: other, imported: { validTo: 8, description: 'known' } }])
    const forever = withImported(key, second.id, other, { description: '' }, 6)
    expect(forever.materials[1]!.imported).toEqual({ validTo: undefined, description: '' })
  })

  it('enables a key only if no other material is missing', () => {
    const key = external({ state: 'Disabled', materials: [gone(first), gone(second)] })
    const half = withImported(key, first.id, other, {}, 0)
    expect([keyState(half), half.state]).toEqual(['PendingImport', 'Disabled'])
    expect(keyState(withImported(half, second.id, other, {}, 0))).toBe('Enabled')
    expect(keyState(withImported(external({ state: 'Disabled' }), first.id, other, {}, 0))).toBe('Disabled')
  })

  it('of a pending material leaves the key pending import', () => {
    const key = external({ materials: [gone(first)] })
    const pending = withImported(key, second.id, other, isNew, 0)
    expect([keyState(pending), pending.pendingMaterial?.id]).toEqual(['PendingImport', second.id])
    expect(keyState(withImported(pending, second.id, other, {}, 0))).toBe('PendingImport')
  })

  it('that replaces the only object replaces its fault', () => {
    const missing = { custodyFault: 'missing' } as const
    expect(withImported(external(missing), first.id, other, {}, 0).custodyFault).toBeUndefined()
    const two = external({ ...missing, materials: [first, second] })
    expect(withImported(two, first.id, other, {}, 0).custodyFault).toBe('missing')
  })
})

describe('a key without an object', () => {
  it('keeps the material, unless it was pending rotation', () => {
    const imported = { validTo: 1, description: 'd' }
    const key = external({ materials: [{ ...first, imported }, second], pendingMaterial: third })
    const without = withoutObject(key, first.id)
    expect(without.materials).toEqual([{ ...gone(first), imported: { description: 'd' } }, second])
    expect(withoutObject(key, third.id)).toEqual({ ...key, pendingMaterial: undefined })
  })

  it('keeps a fault only as long as it has another', () => {
    const key = external({ custodyFault: 'missing', pendingMaterial: second })
    expect(withoutObject(key, first.id).custodyFault).toBe('missing')
    expect(withoutObject(withoutObject(key, first.id), second.id).custodyFault).toBeUndefined()
  })
})

describe('related multi-Region keys', () => {
  const rotation = { type: 'ON_DEMAND', date: 3 } as const
  const primary = external({
    multiRegion: 'PRIMARY',
    materials: [first, { ...second, rotation }],
    pendingMaterial: third,
  })
  const replica = external({ multiRegion: 'REPLICA', region: 'eu-west-1', materials: [] })

  it('have the same materials, of which a new replica has none imported', () => {
    const created = withShared(replica, primary)
    expect(created.materials).toEqual([gone(first), { ...gone(second), rotation }])
    expect(created.pendingMaterial).toEqual(gone(third))
    expect([keyState(created), keyState(primary)]).toEqual(['PendingImport', 'Enabled'])
  })

  it('keep their own objects, dates and descriptions when the materials change', () => {
    const own = (number: number, validTo: number): Key['materials'][number] => ({
      ...aMaterial(number, { id: anObject(number + 10).id }),
      imported: { validTo, description: 'own' },
    })
    const before = { ...replica, materials: [own(1, 7)], pendingMaterial: own(2, 8) }
    const after = withShared(before, primary)
    expect(after.materials).toEqual([own(1, 7), { ...own(2, 8), createdAt: second.createdAt, rotation }])
    expect(after.pendingMaterial).toEqual(gone(third))
    expect(withShared(before, { ...primary, pendingMaterial: undefined }).pendingMaterial).toBeUndefined()
  })

  it('forget what is pending rotation when the primary key does, and not when a replica key does', () => {
    const withPending = withShared({ ...replica, pendingMaterial: third }, primary)
    expect(withoutObject(withPending, third.id).pendingMaterial).toMatchObject({ id: third.id, object: undefined })
    expect(withoutObject(primary, third.id).pendingMaterial).toBeUndefined()
  })

  it('get their first material from the primary key', () => {
    const waiting = { ...replica, materials: [] }
    expect(() => withImported(waiting, first.id, other, {}, 0)).toThrow(
      expect.objectContaining({ code: 'IncorrectKeyMaterial' }),
    )
    const imported = withImported({ ...primary, materials: [], pendingMaterial: undefined }, first.id, other, {}, 0)
    const told = withShared(waiting, imported)
    expect([keyState(told), keyState(withImported(told, first.id, other, {}, 0))]).toEqual(['PendingImport', 'Enabled'])
  })

  it('can be rotated once each of them has what is pending rotation', () => {
    const waiting = withShared(replica, primary)
    const ready = withImported(waiting, third.id, other, {}, 0)
    expect(regionsWithoutPending([primary, waiting])).toEqual(['eu-west-1'])
    expect(regionsWithoutPending([primary, ready])).toEqual([])
    expect(regionsWithoutPending([withShared(external({ materials: [] }), primary), ready])).toEqual([primary.region])
  })
})

describe('the expiry of a key', () => {
  const until = (number: number, validTo?: number) => ({ ...aMaterial(number), imported: { validTo } })
  const never = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
  it.each([
    [aKey(1), {}],
    [external({ materials: [] }), {}],
    [external({ materials: [gone(until(1, 5))] }), {}],
    [external({ materials: [until(1)] }), never],
    [external({ materials: [until(1)], pendingMaterial: until(2, 5) }), never],
    [external({ materials: [gone(until(1, 5)), until(2)] }), never],
    [
      external({ materials: [until(1, 7), until(2, 6), until(3)] }),
      { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(6) },
    ],
  ])('is that of the first material to expire: %#', (key, expiration) => {
    expect(expirationOf(key)).toEqual(expiration)
  })
})
