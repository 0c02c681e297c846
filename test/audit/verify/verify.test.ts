import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { noHash } from '../../../src/audit/format.ts'
import { JournalWriter, journalId, SignerKey, sha256, writeJournal } from './signed-journal.ts'
import { type Files, named, type Verified, verified } from './verified.ts'

const key = new SignerKey()
const journal = writeJournal(key, [
  [1, 3, 2],
  [4, 3],
  [2, 1],
])
const { files } = journal
const whole = named(files)

function lineOf(line: object): Buffer {
  return Buffer.from(`${JSON.stringify(line)}\n`)
}

function kindsOf({ found }: Verified): string[] {
  return found.map(({ kind, file, block }) => `${kind} ${file}${block === undefined ? '' : ` ${block}`}`)
}

function messages({ found }: Verified): string {
  return found.map(({ message }) => message).join('\n')
}

describe('a whole journal', () => {
  it('is proven up to its last checkpoint, and chained after it', async () => {
    const journal = writeJournal(key, [[2, 3], [1]])
    journal.records(5)
    const { found, ...verdict } = await verified(named(journal.files), [key])
    expect(found).toEqual([])
    expect(verdict).toEqual({
      isWhole: true,
      journal: journalId,
      segments: { first: 1, last: 2 },
      blocks: 8,
      records: 11,
      bytes: Buffer.concat(journal.files).length,
      signed: [{ firstBlock: 1, firstRecord: 1, lastRecord: 6, lastBlock: 6, time: '2026-01-01T00:00:03.000Z' }],
      unsigned: 5,
      findings: 0,
    })
  })

  it('is that whatever the order, the names and the compression of its files', async () => {
    const { isWhole, records, bytes } = await verified(
      { 'z.jsonl': files[0]!, 'a-00000009.jsonl.gz': gzipSync(files[2]!), b: files[1]! },
      [key],
    )
    expect({ isWhole, records, bytes }).toEqual({ isWhole: true, records: 16, bytes: Buffer.concat(files).length })
  })

  it('may be a part of which is said where it begins and ends', async () => {
    const part = Object.fromEntries(Object.entries(whole).slice(1, 2))
    expect(kindsOf(await verified(part, [key]))).toEqual(['missing audit-00000002.jsonl'])
    expect(await verified(part, [key], { from: 2 })).toMatchObject({
      isWhole: true,
      signed: [{ firstRecord: 7, lastRecord: 13 }],
    })
    expect(await verified(whole, [key], { from: 2, to: 2 })).toMatchObject({ isWhole: true, records: 7 })
    expect(kindsOf(await verified(part, [key], { from: 2, to: 4 }))).toEqual(['missing audit-00000002.jsonl'])
  })

  it('may have a checkpoint that comes some blocks after its block', async () => {
    const journal = new JournalWriter()
    journal.records(1)
    const { head } = journal
    for (const count of [1, 2, 3]) journal.records(count)
    journal.checkpoint(key, head)
    expect(await verified(named(journal.files), [key])).toMatchObject({
      isWhole: true,
      signed: [{ lastRecord: 1 }],
      unsigned: 6,
    })
  })

  it('may have records that look like other lines', async () => {
    const journal = new JournalWriter()
    journal.records(2, { userAgent: '\n{"block":{"number":2}}\n{"checkpoint":{}}', eventName: 'Ünïcode' })
    journal.block([{ intent: { eventID: '1' } }])
    journal.checkpoint(key)
    expect(await verified(named(journal.files), [key])).toMatchObject({ isWhole: true, records: 2 })
  })

  it('begins with the hash of the records of a former version', async () => {
    const former = Buffer.from('{"eventVersion":"1.11"}\n')
    const journal = new JournalWriter()
    const before = { file: 'audit-00000000.jsonl', bytes: former.length, sha256: sha256(former) }
    journal.segments.pop()
    journal.head = { ...journal.head, segment: 0, block: 0, hash: noHash }
    journal.beginSegment(before)
    journal.records(1)
    journal.checkpoint(key)
    const files = named(journal.files)
    expect(await verified({ ...files, 'audit-00000000.jsonl': former }, [key])).toMatchObject({ isWhole: true })
    expect(kindsOf(await verified(files, [key]))).toEqual(['missing audit.jsonl'])
    const changed = { ...files, 'audit-00000000.jsonl': Buffer.from('{"eventVersion":"1.12"}\n') }
    expect(kindsOf(await verified(changed, [key]))).toEqual(['changed audit-00000000.jsonl'])
    const compressed = { ...files, 'audit-00000000.jsonl.gz': gzipSync(former) }
    expect(await verified(compressed, [key])).toMatchObject({ isWhole: true })
    expect(kindsOf(await verified({ ...compressed, 'b-00000000.jsonl': former }, [key]))).toEqual([
      'misplaced b-00000000.jsonl',
    ])
  })

  it('has no records of a former version but those whose hash it has', async () => {
    for (const added of [Buffer.from('{"eventVersion":"1.11"}\n'), Buffer.alloc(0)])
      expect(kindsOf(await verified({ ...whole, 'audit-00000000.jsonl': added }, [key]))).toEqual([
        'misplaced audit-00000000.jsonl',
      ])
  })
})

describe('segments', () => {
  it.each<[string, Files, string[]]>([
    ['is missing at the beginning', named(files.slice(1)), ['missing audit-00000001.jsonl']],
    ['is missing in the middle', named([files[0]!, files[2]!]), ['missing audit.jsonl']],
    ['is there twice', { ...whole, 'copy.jsonl': files[1]! }, ['misplaced copy.jsonl']],
    [
      'is empty',
      { ...whole, 'audit-00000002.jsonl': Buffer.alloc(0) },
      ['changed audit-00000002.jsonl', 'missing audit-00000002.jsonl 6'],
    ],
    [
      'is of another journal',
      { ...whole, 'other.jsonl': new JournalWriter(journalId.replace('0', '1')).files[0]! },
      ['misplaced other.jsonl'],
    ],
    ['is within another', { 'audit.jsonl': Buffer.concat(files) }, ['changed audit.jsonl 6', 'changed audit.jsonl 10']],
  ])('are reported if one %s', async (_, files, kinds) => {
    expect(kindsOf(await verified(files, [key]))).toEqual(kinds)
  })
})

describe('what is signed', () => {
  it('cannot be changed by computing all hashes anew', async () => {
    const original = writeJournal(key, [[1, 3, 2, 3]])
    const forged = new JournalWriter()
    for (const line of Buffer.concat(original.files).toString().split('\n').slice(2)) {
      if (line.startsWith('{"checkpoint"')) forged.block([JSON.parse(line)])
      else if (line.startsWith('{"eventVersion"')) forged.block([{ ...JSON.parse(line), eventName: 'Decrypt' }], 1)
    }
    const result = await verified(named(forged.files), [key])
    expect(result).toMatchObject({ isWhole: false, signed: [] })
    expect(kindsOf(result)).toContain('replaced audit.jsonl 1')
  })

  it('is found missing by checkpoints that were kept outside', async () => {
    const journal = writeJournal(key, [[1, 3]])
    const copy = [...journal.files]
    journal.records(2)
    const outside = { 'outside.jsonl': lineOf({ checkpoint: journal.checkpoint(key) }) }
    const older = await verified(named(copy), [key], { outside })
    expect(kindsOf(older)).toEqual(['missing audit.jsonl 6'])
    expect(messages(older)).toMatch(
      /ends with block 5 \(record 4\), but .*outside\.jsonl has a checkpoint of block 6 \(record 6\)/,
    )
    expect(await verified(named(journal.files), [key], { outside })).toMatchObject({ isWhole: true })
  })

  it('is found replaced if an older copy was restored and goes on', async () => {
    const original = writeJournal(key, [[1, 3]])
    const copy = writeJournal(key, [[1, 3]])
    copy.segments[0] = [...original.segments[0]!]
    copy.head = original.head
    original.records(2)
    const outside = { 'outside.jsonl': lineOf({ checkpoint: original.checkpoint(key) }) }
    copy.records(1)
    copy.records(4)
    copy.checkpoint(key)
    expect(kindsOf(await verified(named(copy.files), [key], { outside }))).toEqual(['replaced outside.jsonl 5'])
  })

  it("is found replaced if another journal began, unless that is another gateway's", async () => {
    const other = new JournalWriter(journalId.replace('0', '1'))
    const outside = {
      'outside.jsonl': Buffer.concat([
        lineOf({ checkpoint: key.checkpoint(journal.head, journal.time) }),
        lineOf({ checkpoint: other.checkpoint(key) }),
      ]),
    }
    expect(kindsOf(await verified(named(other.files), [key], { outside }))).toEqual(['replaced outside.jsonl'])
    const named1 = await verified(named(other.files), [key], { outside, journal: other.head.journal })
    expect(named1).toMatchObject({ isWhole: true })
    expect(kindsOf(await verified(whole, [key], { journal: other.head.journal }))).toContain('misplaced audit.jsonl')
  })

  it('is read from whatever format a sink has', async () => {
    const checkpoint = JSON.stringify({ checkpoint: key.checkpoint(journal.head, journal.time) })
    for (const bytes of [
      Buffer.from(`<110>1 2026-01-01T00:00:00Z gateway strongroom - - - ${checkpoint}`),
      Buffer.from(`{"Records":[{"a":1},${checkpoint},${checkpoint}]}`),
      gzipSync(`${'{'.repeat(100_000)}${checkpoint}\r\n`),
      Buffer.from(`${' '.repeat(1_100_000)}${checkpoint}${'x'.repeat(1_100_000)}`),
    ]) {
      expect(await verified(whole, [key], { outside: { sink: bytes } })).toMatchObject({ isWhole: true })
      expect((await verified(named(files.slice(0, 2)), [key], { outside: { sink: bytes } })).isWhole).toBe(false)
    }
    // Anybody may send messages to a sink: their number is no reason to take long.
    const forged = Array.from({ length: 20_000 }, (_, index) =>
      checkpoint.replace(/"key":"[^"]*"/, `"key":"${String(index).padStart(64, '0')}"`),
    )
    const flooded = await verified(whole, [key], { outside: { sink: Buffer.from([...forged, checkpoint].join('\n')) } })
    expect(flooded).toMatchObject({ isWhole: true })
    for (const bytes of [Buffer.alloc(0), Buffer.from('{"checkpoint":{}}\n{"checkpoint":null}'), Buffer.alloc(5000)])
      expect(kindsOf(await verified(whole, [key], { outside: { sink: bytes } }))).toEqual(['missing sink'])
  })
})

describe('keys', () => {
  const [next, stranger] = [new SignerKey(), new SignerKey()]

  it('are trusted if the former one has signed the change', async () => {
    const journal = writeJournal(key, [[3, 1]])
    journal.block([{ signingKey: key.introduce(next, journal.time) }])
    journal.records(2)
    journal.checkpoint(next)
    const files = named(journal.files)
    expect(await verified(files, [key])).toMatchObject({ isWhole: true, signed: [{ lastRecord: 6 }] })
    // The new one alone is enough, as it has signed everything before.
    expect(await verified(files, [next])).toMatchObject({ isWhole: true, signed: [{ lastRecord: 6 }] })
    expect(await verified(files, [stranger])).toMatchObject({ isWhole: false, signed: [] })
  })

  it('are not trusted if a stranger has signed the change, or somebody signs with a key of his own', async () => {
    for (const lines of [
      [{ signingKey: { ...key.introduce(next, ''), signature: stranger.introduce(next, '').signature } }],
      [{ signingKey: stranger.introduce(next, '') }],
      [],
    ]) {
      const journal = writeJournal(key, [[3, 1]])
      if (lines.length > 0) journal.block(lines)
      journal.records(2)
      journal.checkpoint(next)
      // A checkpoint that was true earlier makes it no better.
      journal.checkpoint(key, { ...journal.head, ...headOf(journal, 2) })
      const result = await verified(named(journal.files), [key])
      expect(result).toMatchObject({ isWhole: false, signed: [{ lastRecord: 4 }] })
      expect(messages(result)).toMatch(/signed by the key [0-9a-f]{64}, which is not given/)
    }
  })

  it('must have signed something', async () => {
    const journal = new JournalWriter()
    journal.records(3)
    expect(messages(await verified(named(journal.files), [key]))).toBe(
      'no checkpoint by a key that is given fits: nothing is proven',
    )
  })

  it('must have signed lately', async () => {
    const journal = writeJournal(key, [[3]])
    journal.pass(4000)
    journal.records(2)
    const result = await verified(named(journal.files), [key])
    expect(kindsOf(result)).toEqual(['unsigned audit.jsonl 4'])
    expect(await verified(named(journal.files), [key], { maxUnsigned: 5_000_000 })).toMatchObject({ isWhole: true })
  })

  it('have signed nothing in a checkpoint that was changed, or is of another place', async () => {
    const journal = writeJournal(key, [[3]])
    const { head, time } = journal
    const checkpoint = key.checkpoint(head, time)
    const other = new JournalWriter(journalId.replace('0', '1'))
    for (const [mark, message] of [
      [{ ...checkpoint, record: 99 }, /wrong signature/],
      [{ ...checkpoint, time: 'tomorrow' }, /wrong signature/],
      [{ ...checkpoint, signature: '' }, /wrong signature/],
      [{ ...checkpoint, more: 1 }, /not well-formed/],
      [{ ...checkpoint, block: '5' }, /not well-formed/],
      [null, /not well-formed/],
      [key.checkpoint({ ...head, block: 99 }, time), /later block 99/],
      [key.checkpoint(other.head, time), /another journal/],
      [key.checkpoint({ ...head, hash: noHash }, time), /not what was signed/],
      ['x'.repeat(100_000), /not well-formed/],
    ] as const) {
      const journal = writeJournal(key, [[3]])
      journal.block([{ checkpoint: mark }])
      journal.checkpoint(key)
      const result = await verified(named(journal.files), [key])
      expect(result.isWhole).toBe(false)
      expect(messages(result)).toMatch(message)
    }
  })
})

function headOf(journal: JournalWriter, block: number) {
  const text = journal.segments.flat()[block - 1]!.toString().trimEnd().split('\n').at(-1)!
  const { number, record, hash } = JSON.parse(text).block
  return { block: number as number, record: record as number, hash: hash as string }
}
