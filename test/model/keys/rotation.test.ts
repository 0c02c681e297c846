import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Key } from '../../../src/model/keys/key.ts'
import { rotated, rotationDate, rotationFrom } from '../../../src/model/keys/rotation.ts'
import { aKey, aMaterial } from '../../storage/records.ts'

const day = 86_400_000
const start = 1_700_000_000_000

const dueAt = (automaticRotation: Key['automaticRotation']) => aKey(1, { automaticRotation })
const nextAfter = (key: Key, date: number) =>
  rotated(key, aMaterial(2), { type: 'AUTOMATIC', date }).automaticRotation?.nextDate

describe('automatic rotation', () => {
  it('is due a period after it is enabled, as long as the key can be used', () => {
    const key = dueAt(rotationFrom(start, 90))
    expect(rotationDate(key)).toBe(start + 90 * day)
    for (const other of [{ state: 'Disabled' }, { state: 'PendingDeletion' }, { custodyFault: 'missing' }] as const)
      expect(rotationDate({ ...key, ...other })).toBeUndefined()
    expect(rotationDate(aKey(2))).toBeUndefined()
  })

  it.each([
    ['on time', 0, 180],
    ['an hour late', 3_600_000, 180],
    ['a day late', day, 90 + 1 + 90],
    ['89 days late', 89 * day, 90 + 89 + 90],
    ['10 years late', 3650 * day, 90 + 3650 + 90],
  ])('that is %s is next a period after its due date, or after itself', (_, late, nextInDays) => {
    expect(nextAfter(dueAt(rotationFrom(start, 90)), start + 90 * day + late)).toBe(start + nextInDays * day)
  })

  it('never comes twice within a period, however late each one is', () => {
    const lateness = fc.integer({ min: 0, max: 5000 * day })
    fc.assert(
      fc.property(fc.integer({ min: 90, max: 2560 }), fc.array(lateness, { maxLength: 20 }), (period, late) => {
        let key = dueAt(rotationFrom(start, period))
        let last = start
        for (const wait of late) {
          const date = key.automaticRotation!.nextDate + wait
          key = rotated(key, aMaterial(2), { type: 'AUTOMATIC', date })
          expect(rotationDate(key)).toBeGreaterThan(date)
          expect(date - last).toBeGreaterThan((period - 1) * day)
          last = date
        }
        expect(key.materials).toHaveLength(late.length + 1)
      }),
    )
  })

  it('keeps its date when the key is rotated before it', () => {
    const key = dueAt(rotationFrom(start, 90))
    expect(nextAfter(key, start + 1)).toBe(start + 90 * day)
  })

  it.each([-1, 0, 1, 400])('keeps its date when the key is rotated on demand %i days after it', days => {
    const key = dueAt(rotationFrom(start, 90))
    const after = rotated(key, aMaterial(2), { type: 'ON_DEMAND', date: start + (90 + days) * day })
    expect(after.automaticRotation).toEqual(key.automaticRotation)
  })
})

describe('a rotated key', () => {
  it('has its materials and everything else, and one that was pending is no longer so', () => {
    const pendingMaterial = aMaterial(7)
    const key = aKey(1, { pendingMaterial, tags: [{ TagKey: 'a', TagValue: 'b' }], revision: 4 })
    const rotation = { type: 'ON_DEMAND', date: start } as const
    expect(rotated(key, pendingMaterial, rotation)).toEqual({
      ...key,
      pendingMaterial: undefined,
      materials: [...key.materials, { ...pendingMaterial, rotation }],
      automaticRotation: undefined,
    })
  })
})
