import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type JournalWriter, SignerKey, writeJournal } from './signed-journal.ts'
import { named, type Verified, verified } from './verified.ts'

const key = new SignerKey()

/** Records of each block, in each segment. */
const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 3,
})

/** A place in a segment, by fractions. */
const place = fc.record({ segment: fc.nat(), at: fc.nat(), other: fc.nat() })

/** Returns the segments, undefined if they are what they were. */
type Tamper = (
  journal: JournalWriter,
  place: { readonly segment: number; readonly at: number; readonly other: number },
) => readonly Buffer[] | undefined

/** Replaces a segment. */
function withSegment({ files }: JournalWriter, index: number, bytes: Buffer): readonly Buffer[] | undefined {
  return files[index]!.equals(bytes) ? undefined : files.with(index, bytes)
}

/** Replaces parts of a segment: its bytes, lines or blocks. */
function parts(
  split: (journal: JournalWriter, segment: number) => Buffer[],
  change: (parts: Buffer[], at: number, other: number) => Buffer[],
): Tamper {
  return (journal, { segment, at, other }) => {
    const index = segment % journal.segments.length
    const all = split(journal, index)
    return withSegment(journal, index, Buffer.concat(change(all, at % all.length, other % all.length)))
  }
}

const blocksOf = ({ segments }: JournalWriter, segment: number) => segments[segment]!
const linesOf = ({ files }: JournalWriter, segment: number) =>
  files[segment]!.toString('latin1')
    .split(/(?<=\n)/)
    .map(line => Buffer.from(line, 'latin1'))

/** The same for single bytes. */
function bytes(change: (bytes: Buffer, at: number, other: number) => Buffer): Tamper {
  return (journal, { segment, at, other }) => {
    const index = segment % journal.segments.length
    const file = journal.files[index]!
    return withSegment(journal, index, change(Buffer.from(file), at % file.length, other % file.length))
  }
}

function set(bytes: Buffer, at: number, value: number): Buffer {
  bytes[at] = value
  return bytes
}

const swap = (all: Buffer[], at: number, other: number) => all.with(at, all[other]!).with(other, all[at]!)
const drop = (all: Buffer[], at: number) => all.toSpliced(at, 1)
const duplicate = (all: Buffer[], at: number, other: number) => all.toSpliced(other, 0, all[at]!)
const replace = (all: Buffer[], at: number, other: number) => all.with(at, all[other]!)

const tampers: Readonly<Record<string, Tamper>> = {
  'a flipped bit': bytes((bytes, at, other) => set(bytes, at, bytes[at]! ^ (1 << (other % 8)))),
  'a byte that is NUL': bytes((bytes, at) => set(bytes, at, 0)),
  'a dropped byte': bytes((bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])),
  'an inserted byte': bytes((bytes, at, other) =>
    Buffer.concat([bytes.subarray(0, at), Buffer.of(other % 256), bytes.subarray(at)]),
  ),
  'swapped bytes': bytes((bytes, at, other) => set(set(Buffer.from(bytes), at, bytes[other]!), other, bytes[at]!)),
  // An empty file has no block to name.
  'bytes cut off': bytes((bytes, at) => bytes.subarray(0, Math.max(1, at))),
  'bytes cut out': bytes((bytes, at, other) =>
    Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(at, other))]),
  ),
  'a dropped line': parts(linesOf, drop),
  'swapped lines': parts(linesOf, swap),
  'a repeated line': parts(linesOf, duplicate),
  'a line in place of another': parts(linesOf, replace),
  'a dropped block': parts(blocksOf, drop),
  'swapped blocks': parts(blocksOf, swap),
  'a repeated block': parts(blocksOf, duplicate),
  'a block in place of another': parts(blocksOf, replace),
}

describe('verification finds', () => {
  it.each(Object.entries(tampers))('%s, and names the file and the block', async (_, tamper) => {
    await fc.assert(
      fc.asyncProperty(sizes, place, async (sizes, place) => {
        const journal = writeJournal(key, sizes)
        const tampered = tamper(journal, place)
        fc.pre(tampered !== undefined)
        const checkpoint = JSON.stringify({ checkpoint: key.checkpoint(journal.head, journal.time) })
        const outside = { 'checkpoints.jsonl': Buffer.from(checkpoint) }
        const result = await verified(named(tampered), [key], { outside })
        expect(result.isWhole).toBe(false)
        expectLocated(journal, tampered, result)
      }),
      { numRuns: 6 },
    )
  })
})

/** The first fault that has a place is at the block in which the first different byte is; and what is said to be signed is there. */
function expectLocated(journal: JournalWriter, tampered: readonly Buffer[], { found, signed }: Verified): void {
  const index = journal.files.findIndex((bytes, index) => !bytes.equals(tampered[index]!))
  const same = commonLength(journal.files[index]!, tampered[index]!)
  let [block, offset] = [journal.segments.slice(0, index).flat().length + 1, 0]
  for (const { length } of journal.segments[index]!) {
    if (offset + length > same) break
    offset += length
    block++
  }
  const first = found.find(finding => finding.block !== undefined)
  expect(first).toMatchObject({ file: Object.keys(named(journal.files))[index], block: expect.any(Number) })
  if (first?.offset === undefined) expect(first?.block).toBe(block)
  else expect(first.offset).toBe(offset)
  const blocks = journal.segments.flat()
  for (const { firstBlock, lastBlock } of signed) {
    for (const bytes of blocks.slice(firstBlock - 1, lastBlock))
      expect(tampered.some(file => file.includes(bytes))).toBe(true)
  }
}

function commonLength(one: Buffer, other: Buffer): number {
  const shorter = Math.min(one.length, other.length)
  for (let at = 0; at < shorter; at++) if (one[at] !== other[at]) return at
  return shorter
}
