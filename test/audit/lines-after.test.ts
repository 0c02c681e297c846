import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { blockOf, type Head, type Line, noHash } from '../../src/audit/format.ts'
import { linesAfter } from '../../src/audit/lines-after.ts'
import { segmentFile } from '../../src/audit/segments.ts'
import { aRecord } from './records.ts'

const journal = '11111111-2222-4333-8444-555555555555'
let folder: string
let active: string
/** Positions after each block, by segment; the first is that after its header. */
let positions: string[][]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lines-after-'))
  active = join(folder, 'audit.jsonl')
  let head: Head = { journal, segment: 0, block: 0, record: 0, hash: noHash }
  positions = []
  for (let number = 1; number <= 3; number++) {
    head = { ...head, segment: number }
    let content = Buffer.alloc(0)
    const ends: string[] = []
    const add = (line: object, records: number) => {
      const block = blockOf(`${JSON.stringify(line)}\n`, records, head)
      head = block.head
      content = Buffer.concat([content, block.bytes])
      ends.push(`${journal}:${number}:${content.length}`)
    }
    add({ segment: { version: 1, journal, number, time: '2026-01-01T00:00:00.000Z' } }, 0)
    add({ intent: aRecord(number * 10) }, 0)
    add(aRecord(number * 10), 1)
    positions.push(ends)
    writeFileSync(number === 3 ? active : segmentFile(active, number), content)
  }
})
afterEach(() => rmSync(folder, { recursive: true }))

const end = () => positions[2]![2]!

async function found(position: string): Promise<string[] | undefined> {
  const lines = await linesAfter(active, position, end())
  if (lines === undefined) return undefined
  const names: string[] = []
  for await (const line of lines) names.push(named(line))
  return names
}

function named(line: Line): string {
  return 'intent' in line ? `intent ${line.intent.eventID}` : 'eventID' in line ? line.eventID : '?'
}

it('are those of the segment that is written, and of full ones before it', async () => {
  expect(await found(positions[2]![0]!)).toEqual(['intent 30', '30'])
  expect(await found(positions[2]![1]!)).toEqual(['30'])
  expect(await found(end())).toEqual([])
  expect(await found(positions[0]![1]!)).toEqual(['10', 'intent 20', '20', 'intent 30', '30'])
  expect(await found(positions[1]![2]!)).toEqual(['intent 30', '30'])
})

it('are those up to the durable end', async () => {
  writeFileSync(active, `${readFileSync(active, 'utf8')}{"block":`)
  expect(await found(positions[2]![1]!)).toEqual(['30'])
})

it.each([
  ['cut', /\{"intent":\{/, '{"intent":['],
  ['of an intent without an event', /\{"intent":\{.*\}\}/, '{"intent":null}'],
  ['of an event without an ID', /"eventID"/, '"eventIX"'],
  ['of an event whose ID is no text', /"eventID":"30"/, '"eventID":30'],
  ['null', /\{"intent":\{.*\}\}/, 'null'],
])('are without a damaged one: %s', async (_, from, to) => {
  const text = readFileSync(active, 'utf8')
  const damaged = text.replace(from, to)
  expect(damaged).not.toBe(text)
  writeFileSync(active, damaged)
  expect(await found(positions[2]![0]!)).toEqual(['30'])
})

it.each<readonly [string, () => string]>([
  ['of another journal', () => end().replace('1111', '2222')],
  ['beyond the end', () => `${end()}0`],
  ['in a later segment', () => `${journal}:4:0`],
  ['in no segment', () => `${journal}:0:0`],
  ['beyond the end of a full segment', () => `${positions[0]![2]!}0`],
  ['of a former version', () => '1234:5678'],
  ['that is no position', () => ''],
])('are unknown after a position %s', async (_, position) => {
  expect(await found(position())).toBeUndefined()
})

it.each<readonly [string, () => void]>([
  ['is gone', () => rmSync(segmentFile(active, 2))],
  ['is of another journal', () => replace('"journal":"1111', '"journal":"2222')],
  ['is another one', () => replace('"number":2,"time"', '"number":7,"time"')],
  ['is no segment', () => writeFileSync(segmentFile(active, 2), 'text\n')],
  ['is empty', () => writeFileSync(segmentFile(active, 2), '')],
])('are unknown if a segment in between %s', async (_, damage) => {
  damage()
  expect(await found(positions[0]![0]!)).toBeUndefined()
  expect(await found(positions[2]![1]!)).toEqual(['30'])
})

function replace(from: string, to: string): void {
  const file = segmentFile(active, 2)
  const text = readFileSync(file, 'utf8')
  expect(text).toContain(from)
  writeFileSync(file, text.replace(from, to))
}
