import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Caller } from '../../../src/model/identities/caller.ts'
import { page, scopeOf } from '../../../src/operations/kms/pages.ts'

const size = { ordinary: 10, maximum: 50 }
const scope = scopeOf('ListThings', { account: '111122223333', region: 'eu-central-1' } as Caller, 'of-one')

/** Reads from a sorted list, as storage does. */
const from = (records: readonly string[]) => (after: string | undefined, limit: number) =>
  records.filter(record => after === undefined || record > after).slice(0, limit)

const list = (records: readonly string[], input: { Limit?: number; Marker?: string }, of = scope) =>
  page(input, size, of, record => record, from(records))

describe('the pages of a list', () => {
  it('together are the list, whatever their size, and only the last is not truncated', async () => {
    const records = fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 40 }).map(array => array.sort())
    await fc.assert(
      fc.asyncProperty(records, fc.integer({ min: 1, max: 50 }), async (all, Limit) => {
        const gathered: string[] = []
        let Marker: string | undefined
        do {
          const { records, NextMarker, Truncated } = await list(all, { Limit, ...(Marker !== undefined && { Marker }) })
          gathered.push(...records)
          expect(Truncated).toBe(NextMarker !== undefined)
          expect(records.length).toBeLessThanOrEqual(Limit)
          Marker = NextMarker
        } while (Marker !== undefined)
        expect(gathered).toEqual(all)
      }),
    )
  })

  it('have the default size', async () => {
    const all = Array.from({ length: 11 }, (_, i) => String.fromCharCode(97 + i))
    expect((await list(all, {})).records).toHaveLength(10)
  })
})

describe('a marker', () => {
  const refused = { code: 'InvalidMarker', message: 'Could not deserialize marker' }

  it('is refused unless it is from this list', async () => {
    const { NextMarker } = await list(['a', 'b'], { Limit: 1 })
    const others = [
      scopeOf('ListOthers', { account: '111122223333', region: 'eu-central-1' } as Caller, 'of-one'),
      scopeOf('ListThings', { account: '444455556666', region: 'eu-central-1' } as Caller, 'of-one'),
      scopeOf('ListThings', { account: '111122223333', region: 'us-east-1' } as Caller, 'of-one'),
      scopeOf('ListThings', { account: '111122223333', region: 'eu-central-1' } as Caller, 'of-another'),
      scopeOf('ListThings', { account: '111122223333', region: 'eu-central-1' } as Caller),
    ]
    for (const other of others) await expect(list(['a'], { Marker: NextMarker! }, other)).rejects.toMatchObject(refused)
    expect(await list(['a', 'b'], { Marker: NextMarker! })).toEqual({ records: ['b'], Truncated: false })
  })

  it('that was forged is refused', async () => {
    const made = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.json().map(json => Buffer.from(json).toString('base64url')),
      fc.constant(Buffer.from(JSON.stringify([...scope, 1])).toString('base64url')),
    )
    await fc.assert(
      fc.asyncProperty(made, async Marker => {
        await expect(list(['a'], { Marker })).rejects.toMatchObject(refused)
      }),
    )
  })
})
