import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf, isSound, linesOf, type ReadBlock, recordsOf } from '../../src/audit/read.ts'
import { aRecord, openAt } from './records.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'read-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** A segment with bursts of records, of as many bytes as given. */
async function segmentOf(bursts: readonly (readonly number[])[]): Promise<string> {
  const path = join(directory, `${Math.random()}`)
  const journal = await openAt(path)
  let number = 0
  for (const burst of bursts)
    await Promise.all(burst.map(length => journal.append(aRecord(number++, { userAgent: 'é'.repeat(length) }))))
  await journal.close()
  return path
}

async function read(path: string, start?: number, end?: number): Promise<ReadBlock[]> {
  const blocks: ReadBlock[] = []
  for await (const block of blocksOf(path, start, end)) blocks.push(block)
  return blocks
}

const bursts = fc.array(fc.array(fc.oneof(fc.nat(100), fc.nat(400_000)), { minLength: 1, maxLength: 5 }), {
  maxLength: 6,
})

describe('the blocks of a segment', () => {
  it('are read as they were written, from where any of them begins to where any ends', async () => {
    await fc.assert(
      fc.asyncProperty(bursts, fc.nat(), fc.nat(), async (bursts, one, other) => {
        const path = await segmentOf(bursts)
        const blocks = await read(path)
        expect(Buffer.concat(blocks.map(({ bytes }) => bytes)).equals(readFileSync(path))).toBe(true)
        expect(blocks.every(isSound)).toBe(true)
        const records = blocks.flatMap(recordsOf).map(line => JSON.parse(line).eventID as string)
        expect(records).toEqual(bursts.flat().map((_, index) => `${index}`))
        const [from, to] = [one % blocks.length, other % blocks.length].sort((a, b) => a - b) as [number, number]
        const last = blocks[to]!
        const some = await read(path, blocks[from]!.offset, last.offset + last.bytes.length)
        expect(some.map(({ offset }) => offset)).toEqual(blocks.slice(from, to + 1).map(({ offset }) => offset))
        expect(await read(path, last.offset, last.offset)).toEqual([])
      }),
      { numRuns: 15 },
    )
  })

  it('end before what is not whole', async () => {
    const path = await segmentOf([[1], [2]])
    const whole = await read(path)
    for (const tail of [
      '{',
      '{"eventVersion":"1.11"}\n',
      '{"eventVersion":"1.11"}\n{"block":{"number":4,"record":3}}\n',
    ]) {
      appendFileSync(path, tail)
      expect(await read(path)).toEqual(whole)
    }
  })

  it('begin with the header of the segment', async () => {
    const [first] = await read(await segmentOf([]))
    expect(linesOf(first!).map(line => JSON.parse(line))).toMatchObject([{ segment: { version: 1, number: 1 } }])
    expect(recordsOf(first!)).toEqual([])
  })
})
