import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { headerBlock } from '../../src/audit/format.ts'
import { openSegment, segmentFile, segmentsOf } from '../../src/audit/segments.ts'
import { noBlock } from './records.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'segments-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

it.each([
  ['/data/audit.jsonl', 1, '/data/audit-00000001.jsonl'],
  ['/data/audit', 12_345_678, '/data/audit-12345678'],
  ['audit.v2.jsonl', 123_456_789, 'audit.v2-123456789.jsonl'],
  ['/data/audit-00000001.jsonl', 2, '/data/audit-00000001-00000002.jsonl'],
])('the full segments of %s: number %i is %s', (active, number, file) => {
  expect(segmentFile(active, number)).toBe(file)
})

it('are found in their order, without other files beside them', async () => {
  const active = join(folder, 'audit.jsonl')
  const names = ['audit-00000002.jsonl', 'audit-00000010.jsonl', 'audit-100000000.jsonl', 'audit.jsonl']
  const others = ['audit-1.jsonl', 'audit-0000000001.jsonl', 'audit-00000003.jsonl.gz', 'audit-00000003.json']
  const more = ['xaudit-00000003.jsonl', 'audit-00000003', 'audit-0000000a.jsonl', 'audit-00000001-00000001.jsonl']
  for (const name of [...names, ...others, ...more]) writeFileSync(join(folder, name), '')
  const found = await segmentsOf(active)
  expect(found.map(({ file }) => basename(file))).toEqual(names)
  expect(found.map(({ number }) => number)).toEqual([2, 10, 100_000_000, undefined])
  rmSync(active)
  expect((await segmentsOf(active)).map(({ number }) => number)).toEqual([2, 10, 100_000_000])
})

it('are opened by their number, whether full or being written', async () => {
  const active = join(folder, 'opened.jsonl')
  const header = (segment: number) => `${headerBlock({ ...noBlock, segment: segment - 1 }, { now: 0 }).bytes}`
  writeFileSync(segmentFile(active, 1), header(1))
  writeFileSync(active, header(2))
  const textOf = async (number: number) => {
    await using file = await openSegment(active, number)
    return file && (await file.readFile('utf8'))
  }
  expect(await textOf(1)).toBe(header(1))
  expect(await textOf(2)).toBe(header(2))
  expect(await textOf(3)).toBeUndefined()
  writeFileSync(active, 'nonsense')
  expect(await textOf(2)).toBeUndefined()
})
