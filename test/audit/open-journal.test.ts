import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { headerBlock, segmentHeaderOf } from '../../src/audit/format.ts'
import { type Findings, type OpenOptions, openJournal } from '../../src/audit/open-journal.ts'
import { blocksOf, type ReadBlock } from '../../src/audit/read.ts'
import { segmentFile } from '../../src/audit/segments.ts'
import { OperatorError } from '../../src/errors.ts'
import { aRecord, journalOptions, openAt, quickFolder } from './records.ts'

/** What a gateway finds when it starts: files that were cut, changed, lost or restored from a copy. */

let directory: string
let path: string
beforeAll(() => {
  directory = mkdtempSync(join(quickFolder, 'open-journal-'))
})
beforeEach(() => {
  path = join(mkdtempSync(join(directory, 'folder-')), 'audit.jsonl')
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Appends records, each in a block of its own, and returns the position after them. */
async function write(numbers: readonly number[], options: Partial<OpenOptions> = {}): Promise<string> {
  const journal = await openAt(path, options)
  for (const number of numbers) await journal.append(aRecord(number))
  await journal.close()
  return journal.position
}

async function findings({ known, awaited = false }: { known?: string; awaited?: boolean } = {}): Promise<Findings> {
  const { journal, findings } = await openJournal(path, { ...journalOptions, awaited, known: () => known })
  await journal.close()
  return findings
}

const nothing = { isNew: false, cut: 0, broken: undefined, lost: undefined }

async function blocks(file: string): Promise<ReadBlock[]> {
  const found: ReadBlock[] = []
  for await (const block of blocksOf(file)) found.push(block)
  return found
}

function header(file: string) {
  return segmentHeaderOf(readFileSync(file, 'utf8'))!
}

describe('the end of a journal', () => {
  it('is whole after a stop', async () => {
    expect(await findings()).toEqual({ ...nothing, isNew: true })
    const known = await write([1, 2])
    expect(await findings({ known })).toEqual(nothing)
  })

  it('is told how much of it an incomplete block was, wherever that was cut', async () => {
    await write([1, 2])
    const whole = readFileSync(path)
    const start = (await blocks(path)).at(-1)!.offset
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: start, max: whole.length - 1 }), async length => {
        writeFileSync(path, whole.subarray(0, length))
        expect(await findings()).toEqual({ ...nothing, cut: length - start })
        expect(readFileSync(path)).toEqual(whole.subarray(0, start))
      }),
      { numRuns: 30, examples: [[start], [start + 1], [whole.length - 1]] },
    )
  })

  it('is found behind more than is read at once', async () => {
    await write([1])
    const whole = readFileSync(path)
    for (const length of [1, 1024 * 1024 - 5, 1024 * 1024, 3 * 1024 * 1024 + 7]) {
      writeFileSync(path, Buffer.concat([whole, Buffer.alloc(length, '\n{"block":{')]))
      expect(await findings()).toEqual({ ...nothing, cut: length })
    }
    expect(readFileSync(path)).toEqual(whole)
  })
})

describe('the chain of blocks', () => {
  it('is checked from the beginning of a segment, whatever byte was changed', async () => {
    await write([1, 2, 3, 4])
    const whole = readFileSync(path)
    const all = await blocks(path)
    const changeable = all.at(-1)!.offset
    await fc.assert(
      fc.asyncProperty(fc.nat(changeable - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        // The header tells which journal it is; without it there is none.
        fc.pre(at > 200)
        const bytes = Buffer.from(whole)
        bytes[at] = bytes[at]! ^ change
        writeFileSync(path, bytes)
        const changed = all.findLast(({ offset }) => offset <= at)!
        const found = await findings()
        expect(found).toMatchObject({ cut: 0, broken: expect.anything() })
        expect(found.broken!.offset).toBeLessThanOrEqual(at)
        expect(found.broken!.offset).toBeGreaterThanOrEqual(changed.offset)
      }),
      { numRuns: 100 },
    )
  })

  it('is checked for blocks that are missing, swapped or there twice', async () => {
    await write([1, 2, 3, 4])
    const [first, second, third, fourth, last] = (await blocks(path)).map(({ bytes }) => bytes)
    for (const [after, order] of [
      [1, [first, third, fourth, last]],
      [1, [first, third, second, fourth, last]],
      [2, [first, second, second, third, fourth, last]],
    ] as const) {
      writeFileSync(path, Buffer.concat(order.map(bytes => bytes!)))
      expect((await findings()).broken).toMatchObject({ after })
    }
  })

  it('is checked from the last checkpoint only', async () => {
    const journal = await openAt(path)
    for (const number of [1, 2]) await journal.append(aRecord(number))
    const checkpoint = { ...journal.head, time: '', key: '', signature: '' }
    await Promise.all([journal.append(aRecord(3)), journal.append({ checkpoint })])
    await journal.append(aRecord(4))
    await journal.close()
    const whole = readFileSync(path)
    for (const [number, isFound] of [
      [1, false],
      [2, false],
      [3, true],
      [4, true],
    ] as const) {
      writeFileSync(path, whole.toString().replace(`request-${number}`, 'request-X'))
      expect((await findings()).broken !== undefined).toBe(isFound)
    }
  })

  it('that is broken does not keep a journal from going on', async () => {
    await write([1, 2])
    writeFileSync(path, readFileSync(path, 'utf8').replace('request-1', 'request-X'))
    await write([3])
    const all = await blocks(path)
    expect(all.at(-1)!.trailer).toMatchObject({ number: 4, previous: all.at(-2)!.trailer.hash })
    expect((await findings()).broken).toEqual({ after: 1, offset: all[1]!.offset })
  })
})

describe('a position that storage knows', () => {
  it('is reached by the journal as it was, also in a later segment', async () => {
    const known = await write([1, 2])
    await write([3])
    expect((await findings({ known })).lost).toBeUndefined()
    await write([4, 5], { maxSize: 100 })
    for (const position of [known, await write([6])]) expect((await findings({ known: position })).lost).toBeUndefined()
  })

  it('is lost with an older copy of the file', async () => {
    await write([1])
    copyFileSync(path, `${path}.older`)
    const known = await write([2])
    copyFileSync(`${path}.older`, path)
    expect((await findings({ known })).lost).toBe(known)
  })

  it('is lost with the file, whether there are full segments or not', async () => {
    const known = await write([1])
    rmSync(path)
    expect(await findings({ known })).toEqual({ ...nothing, isNew: true, lost: known })
    const later = await write([2, 3], { maxSize: 100 })
    rmSync(path)
    expect(await findings({ known: later })).toEqual({ ...nothing, isNew: true, lost: later })
    expect(header(path)).toMatchObject({ number: 3, journal: later.split(':')[0] })
  })

  it('of a former version is none', async () => {
    await write([1])
    for (const known of ['', '123456:789', 'nonsense']) expect((await findings({ known })).lost).toBeUndefined()
  })

  it('is awaited in a file that is there, as long as records may be in it', async () => {
    await write([1])
    rmSync(path)
    await expect(findings({ awaited: true })).rejects.toThrow(
      new OperatorError(
        `audit journal ${path} is missing, and may hold the records of the last changes: restore it, or create an empty file if it is lost`,
      ),
    )
    expect(existsSync(path)).toBe(false)
    writeFileSync(path, '')
    await findings({ awaited: true })
  })
})

describe('an interrupted rotation', () => {
  it('is continued, also when records are awaited', async () => {
    await write([1, 2])
    const journal = await openAt(path)
    await journal.close()
    renameSync(path, segmentFile(path, 1))
    writeFileSync(`${path}.next`, headerBlock(journal.head, { now: 0 }).bytes)
    expect(await findings({ awaited: true, known: journal.position })).toEqual(nothing)
    await write([3])
    expect(header(path).number).toBe(2)
    expect((await blocks(path))[0]!.trailer.previous).toBe(journal.head.hash)
    expect(readdirSync(dirname(path)).sort()).toEqual(['audit-00000001.jsonl', 'audit.jsonl'])
  })

  it.each([0, 100, 400])('before the next segment was whole (%i bytes) is forgotten', async length => {
    await write([1])
    const journal = await openAt(path)
    await journal.close()
    writeFileSync(`${path}.next`, headerBlock(journal.head, { now: 0 }).bytes.subarray(0, length))
    expect(await findings()).toEqual(nothing)
    await write([2], { maxSize: 100 })
    expect(header(path).number).toBe(2)
    expect(readdirSync(dirname(path)).sort()).toEqual(['audit-00000001.jsonl', 'audit.jsonl'])
  })
})

describe('full segments', () => {
  it('are continued when the last file is gone or empty', async () => {
    await write([1, 2], { maxSize: 100 })
    renameSync(path, segmentFile(path, header(path).number))
    await write([3])
    const [last] = (await blocks(segmentFile(path, 3))).slice(-1)
    expect(header(path).number).toBe(4)
    expect((await blocks(path))[0]!.trailer).toMatchObject({
      previous: last!.trailer.hash,
      number: last!.trailer.number + 1,
    })
  })

  it('are not written over by an older copy of the last file', async () => {
    await write([1])
    copyFileSync(path, `${path}.older`)
    await write([2, 3], { maxSize: 100 })
    copyFileSync(`${path}.older`, path)
    await expect(findings()).rejects.toThrow(/is segment 1, but there is .*audit-0000000\d\.jsonl: move away/)
  })

  it('that have no whole block are passed over', async () => {
    const known = await write([1, 2, 3], { maxSize: 100 })
    renameSync(path, segmentFile(path, header(path).number))
    const [last] = (await blocks(segmentFile(path, 2))).slice(-1)
    for (const number of [3, 4]) truncateSync(segmentFile(path, number), 10)
    expect(await findings({ known })).toEqual({ ...nothing, isNew: true, lost: known })
    expect(header(path).number).toBe(5)
    expect((await blocks(path))[0]!.trailer.previous).toBe(last!.trailer.hash)
    for (const number of [1, 2]) truncateSync(segmentFile(path, number), 10)
    rmSync(path)
    await write([4])
    expect(header(path)).toMatchObject({ number: 5, journal: expect.not.stringMatching(known.split(':')[0]!) })
  })
})

describe('a file of a former version, without blocks', () => {
  const former = `${JSON.stringify(aRecord(1))}\n${JSON.stringify(aRecord(2))}\n{"eventVersion":"1.11","ev`

  it('is kept as segment 0, and the first segment has its hash', async () => {
    writeFileSync(path, former)
    await write([3], { awaited: true })
    expect(readFileSync(segmentFile(path, 0), 'utf8')).toBe(former)
    const sha256 = createHash('sha256').update(former).digest('hex')
    expect(header(path)).toMatchObject({
      number: 1,
      before: { file: 'audit-00000000.jsonl', bytes: former.length, sha256 },
    })
    expect(await findings()).toEqual(nothing)
    expect((await blocks(path)).at(-1)!.trailer.record).toBe(1)
  })

  it('is kept when a crash came between the two renames', async () => {
    writeFileSync(segmentFile(path, 0), former)
    await write([3])
    expect(header(path)).toMatchObject({ number: 1, before: { file: 'audit-00000000.jsonl', bytes: former.length } })
  })

  it('is not put before segments that are there', async () => {
    await write([1, 2], { maxSize: 100 })
    writeFileSync(path, former)
    await expect(findings()).rejects.toThrow(OperatorError)
    expect(readFileSync(path, 'utf8')).toBe(former)
  })
})

it.each([
  ['foreign', 'accounts:\n  - none'],
  ['foreign JSON', '{"accounts":[]}\n'],
  ['binary', '\0\0\0\0'],
  ['a header of another version', '{"segment":{"version":2,"journal":"j","number":1}}\n'],
  ['blocks without a header', '{"block":{"number":1}}\n'],
])('a file that is %s is refused, and left as it is', async (_, text) => {
  writeFileSync(path, text)
  await expect(findings()).rejects.toThrow(
    new OperatorError(`${path} is not an audit journal: set audit.file to another path`),
  )
  expect(readFileSync(path, 'utf8')).toBe(text)
  expect(readdirSync(dirname(path))).toEqual(['audit.jsonl'])
})

it('a file whose blocks are all cut is kept under its number', async () => {
  const known = await write([1])
  const text = `${readFileSync(path, 'utf8').split('\n', 1)[0]}\n${'x'.repeat(10_000)}`
  writeFileSync(path, text)
  expect(await findings({ known })).toEqual({ ...nothing, lost: known })
  expect(readFileSync(segmentFile(path, 1), 'utf8')).toBe(text)
  expect(header(path).number).toBe(2)
})
