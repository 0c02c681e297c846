/** The journals of several gateways that share storage, verified together. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAudit } from '../../../src/audit/audit.ts'
import { TrustedKeys } from '../../../src/audit/checkpoint.ts'
import { eventId } from '../../../src/audit/event-id.ts'
import type { Head, Peer } from '../../../src/audit/format.ts'
import type { Finding } from '../../../src/audit/verify/finding.ts'
import { byJournal, type FleetVerdict, verifyFleet } from '../../../src/audit/verify/fleet.ts'
import { Source } from '../../../src/audit/verify/source.ts'
import { Outbox } from '../../../src/outbox.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../../src/storage/kysely-database.ts'
import { openStorage } from '../../../src/storage/sql-storage.ts'
import { Changes } from '../../../src/storage/storage.ts'
import { PeerStatements } from '../../../src/vault/peer-statements.ts'
import { aKey } from '../../storage/records.ts'
import { aRecord, openAt, quickFolder } from '../records.ts'
import { JournalWriter, SignerKey } from './signed-journal.ts'

const key = new SignerKey()
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(quickFolder, 'fleet-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Result extends FleetVerdict {
  readonly found: readonly string[]
}

/** @param files texts of segments, by name */
async function verified(files: Readonly<Record<string, Uint8Array>>, { isComplete = true } = {}): Promise<Result> {
  const own = mkdtempSync(join(folder, 'journals-'))
  const found: Finding[] = []
  const sources: Source[] = []
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(join(own, name), bytes)
    sources.push(await Source.open(join(own, name), false))
  }
  const verdict = await verifyFleet(await byJournal(sources), {
    isComplete,
    keys: new TrustedKeys([key.publicKey]),
    checkpoints: [],
    maxUnsigned: 3_600_000,
    patience: 0,
    report: finding => found.push(finding),
  })
  return {
    ...verdict,
    found: found.map(({ file, message }) => `${basename(file)}: ${message.replaceAll(`${own}/`, '')}`),
  }
}

const start = Date.UTC(2026, 0, 1)
const hour = 3_600_000

/** A gateway whose journal is written here. */
class Writer extends JournalWriter {
  readonly name: string

  constructor(name: string) {
    super(randomUUID(), name)
    this.name = name
  }

  /** @param at milliseconds since the first change */
  change(number: number, at = number * hour, id = eventId(start + at)): string {
    this.block([{ change: { number, eventID: id } }, aRecord(number, { eventID: id, readOnly: false })], 1)
    return id
  }

  sees({ name, head }: Writer, { segment, block, record, hash }: Head = head): void {
    const peer: Peer = { journal: head.journal, gateway: name, since: this.time, segment, block, record, hash }
    this.block([{ peer }])
  }

  get file(): Buffer {
    return Buffer.concat(this.files)
  }
}

/** Two gateways that share nine changes, and see each other. */
function twoGateways() {
  const [a, b] = [new Writer('a'), new Writer('b')] as const
  for (const number of [1, 2, 5, 6]) a.change(number)
  b.sees(a)
  for (const number of [3, 4, 7, 8, 9]) b.change(number)
  a.sees(b)
  for (const writer of [a, b]) writer.checkpoint(key)
  return { a, b, files: { 'a.jsonl': a.file, 'b.jsonl': b.file } }
}

describe('journals that share changes', () => {
  it('are whole together', async () => {
    const { files } = twoGateways()
    const { isWhole, found, changes, absent, journals } = await verified(files)
    expect({ isWhole, found, changes, absent }).toEqual({
      isWhole: true,
      found: [],
      changes: { count: 9, last: 9 },
      absent: [],
    })
    expect(journals.map(({ gateway, records }) => [gateway, records])).toEqual([
      ['a', 4],
      ['b', 5],
    ])
  })

  it('are not whole without one of them, whichever that is', async () => {
    const { a, b, files } = twoGateways()
    for (const [name, missing, count] of [
      ['a.jsonl', b, 5],
      ['b.jsonl', a, 4],
    ] as const) {
      const { isWhole, found, absent } = await verified({ [name]: files[name] })
      expect(isWhole).toBe(false)
      expect(found[0]).toBe(
        `${name}: the journal ${missing.head.journal} of the gateway ${missing.name}, with ${count} records or more, is not among those that are given`,
      )
      expect(absent).toMatchObject([{ journal: missing.head.journal, gateway: missing.name }])
    }
  })

  it('can be verified by themselves, and name the others', async () => {
    const { b, files } = twoGateways()
    const { isWhole, absent } = await verified({ 'a.jsonl': files['a.jsonl'] }, { isComplete: false })
    expect(isWhole).toBe(true)
    expect(absent).toMatchObject([{ journal: b.head.journal, gateway: 'b' }])
  })

  it('are not whole if the end of one is not there that another has seen', async () => {
    const { a, b } = twoGateways()
    const cut = Buffer.concat(b.segments[0]!.slice(0, -3))
    const { found } = await verified({ 'a.jsonl': a.file, 'b.jsonl': cut })
    expect(found.join('\n')).toContain(
      'b.jsonl: the journal ends before block 7, or does not have it, but the gateway a, in a.jsonl, has seen block 7 (record 5): it was cut off, or is an older copy',
    )
  })

  it('are not whole if one was written anew, with the same key', async () => {
    const { a, b } = twoGateways()
    const rewritten = new (class extends Writer {
      constructor() {
        super('b')
        this.segments.length = 0
        this.head = { ...this.head, journal: b.head.journal, segment: 0, block: 0, hash: '0'.repeat(64) }
        this.beginSegment()
      }
    })()
    rewritten.sees(a)
    for (const number of [3, 4, 7, 8, 9]) rewritten.change(number, number * hour)
    rewritten.checkpoint(key)
    const { found } = await verified({ 'a.jsonl': a.file, 'b.jsonl': rewritten.file })
    expect(found).toEqual([
      'b.jsonl: block 7 has another hash than when the gateway a, in a.jsonl, has seen block 7 (record 5): the journal was replaced, and the hashes computed anew',
    ])
  })

  it('have every change, whichever are left out', async () => {
    const numbers = Array.from({ length: 32 }, (_, index) => index + 1)
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(numbers.slice(0, -2)),
        fc.array(fc.boolean(), { minLength: 32 }),
        async (out, to) => {
          const [a, b] = [new Writer('a'), new Writer('b')] as const
          for (const number of numbers.filter(number => !out.includes(number))) (to[number - 1] ? a : b).change(number)
          for (const writer of [a, b]) writer.checkpoint(key)
          const { isWhole, found } = await verified({ 'a.jsonl': a.file, 'b.jsonl': b.file })
          expect(isWhole).toBe(out.length === 0)
          const missing = found.flatMap(message => {
            const [, first, last = first] = /changes? ([\d,]+)(?: to ([\d,]+))? (?:is|are) in none/.exec(message)!
            return numbers.slice(Number(first) - 1, Number(last))
          })
          expect(missing).toEqual(out)
        },
      ),
      { numRuns: 15 },
    )
  })

  it('may not have a change yet that was made minutes before the last one', async () => {
    const a = new Writer('a')
    a.change(1, 0)
    a.change(3, hour)
    a.change(4, hour + 60_000)
    a.change(6, hour + 120_000)
    a.checkpoint(key)
    expect((await verified({ 'a.jsonl': a.file })).isWhole).toBe(true)
    a.change(7, 2 * hour)
    a.checkpoint(key)
    expect((await verified({ 'a.jsonl': a.file })).found).toEqual([
      'all journals: change 2 is in none of them: a journal is missing, or its end',
      'all journals: change 5 is in none of them: a journal is missing, or its end',
    ])
  })

  it('may both have the record of one event, but not of two events with one number', async () => {
    const { a, b } = twoGateways()
    const id = a.change(10)
    b.change(10, 10 * hour, id)
    for (const writer of [a, b]) writer.checkpoint(key)
    expect((await verified({ 'a.jsonl': a.file, 'b.jsonl': b.file })).found).toEqual([])
    b.change(10, 11 * hour)
    b.checkpoint(key)
    const { found } = await verified({ 'a.jsonl': a.file, 'b.jsonl': b.file })
    expect(found).toEqual([expect.stringMatching(/^all journals: change 10 is that of several events, \S+ and \S+: /)])
  })

  it('may have numbers of several events if one says that storage lost them', async () => {
    const { a, b } = twoGateways()
    for (const number of [8, 9]) a.change(number, 20 * hour)
    a.block([{ rewind: { from: 9, to: 7, time: a.time } }])
    for (const writer of [a, b]) writer.checkpoint(key)
    expect((await verified({ 'a.jsonl': a.file, 'b.jsonl': b.file })).found).toEqual([])
    a.change(7, 21 * hour)
    a.checkpoint(key)
    expect((await verified({ 'a.jsonl': a.file, 'b.jsonl': b.file })).found).toHaveLength(1)
  })

  it('take no more memory for a forged number', async () => {
    const { a, b } = twoGateways()
    b.change(Number.MAX_SAFE_INTEGER - 1, 30 * hour)
    b.change(Number.MAX_SAFE_INTEGER, 31 * hour)
    b.checkpoint(key)
    const { found, changes } = await verified({ 'a.jsonl': a.file, 'b.jsonl': b.file })
    expect(changes).toEqual({ count: 11, last: Number.MAX_SAFE_INTEGER })
    expect(found).toEqual([
      'all journals: changes 10 to 9,007,199,254,740,989 are in none of them: a journal is missing, or its end',
    ])
  })

  it.each<readonly [string, object]>([
    ['no change', { change: null }],
    ['a negative number', { change: { number: -1, eventID: 'x' } }],
    ['no integer', { change: { number: 1e300, eventID: 'x' } }],
    ['no event', { change: { number: 10 } }],
    ['a text', { change: 'x' }],
    ['no peer', { peer: {} }],
    [
      'a peer without numbers',
      { peer: { journal: 'x', gateway: 'y', since: '', segment: '1', block: [], record: {} } },
    ],
    ['no rewind', { rewind: { from: 'x' } }],
  ])('are not whole with a line that no gateway writes: %s', async (_, line) => {
    const { a, b } = twoGateways()
    b.block([line])
    b.checkpoint(key)
    expect((await verified({ 'a.jsonl': a.file, 'b.jsonl': b.file })).found).toEqual([
      `b.jsonl: a ${Object.keys(line)[0]} that is not well-formed`,
    ])
  })

  it('are sorted by their headers, whatever the names of their files', async () => {
    const { a, b } = twoGateways()
    a.beginSegment()
    a.change(10)
    a.checkpoint(key)
    const [first, second] = a.files as [Buffer, Buffer]
    expect((await verified({ '1': second, '2': b.file, '3': first })).found).toEqual([])
  })
})

describe('the journals of gateways that run', () => {
  it('are whole together, and not without the one that has made no change for long', async () => {
    const own = mkdtempSync(join(folder, 'running-'))
    const database = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
    const gateways = await Promise.all(
      ['a', 'b', 'idle'].map(async gateway => {
        const storage = await openStorage(database, { gateway, now: 0 })
        const file = join(own, `${gateway}.jsonl`)
        const journal = await openAt(file, { gateway })
        const outbox = await Outbox.open(storage, journal, { gateway })
        const audit = createAudit(journal, Date.now, 'kms.amazonaws.com')
        const peers = new PeerStatements({ journal, storage, elapsed: () => 0, interval: 0 })
        const sign = async () => {
          await peers.write()
          const { segment, block, record, hash } = journal.head
          await journal.append({ checkpoint: key.checkpoint(journal.head, new Date().toISOString()) })
          await peers.publish({ segment, block, record, hash })
        }
        return { file, journal, outbox, audit, sign }
      }),
    )
    for (let number = 1; number <= 20; number++) {
      const { outbox, audit } = gateways[number % 2]!
      const changes = new Changes()
      changes.put('keys', aKey(number))
      await outbox.record(changes, audit.event('CreateKey', undefined, {}))
    }
    for (const { sign } of [...gateways, ...gateways]) await sign()
    const sizes = gateways.map(({ journal }) => journal.head.block)
    // Nothing new: they do not answer each other forever.
    const peers = gateways.map(({ file }) => readFileSync(file, 'utf8').split('{"peer":').length - 1)
    expect(peers).toEqual([3, 2, 2])
    expect(sizes.every(size => size < 30)).toBe(true)
    for (const { journal } of gateways) await journal.close()
    await database.close()
    const files = Object.fromEntries(gateways.map(({ file }) => [basename(file), readFileSync(file)]))
    const { found, changes, journals } = await verified(files)
    expect({ found, changes }).toEqual({ found: [], changes: { count: 20, last: 20 } })
    expect(journals.map(({ gateway }) => gateway)).toEqual(['a', 'b', 'idle'])
    const { 'idle.jsonl': _, ...others } = files
    expect((await verified(others)).found).toEqual([expect.stringContaining('of the gateway idle')])
  })
})
