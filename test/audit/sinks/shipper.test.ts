import { randomInt } from 'node:crypto'
import { appendFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockOf, noHash } from '../../../src/audit/format.ts'
import { segmentFile } from '../../../src/audit/segments.ts'
import { cursorFile } from '../../../src/audit/sinks/cursor.ts'
import { TryLater } from '../../../src/audit/sinks/sink.ts'
import { aRecord } from '../records.ts'
import { aCheckpoint, Collector, openJournal, ship } from './journals.ts'

const records = (count: number, from = 1) => Array.from({ length: count }, (_, i) => aRecord(from + i))
const ids = (sink: Collector) => sink.items.map(({ line }) => ('eventID' in line ? line.eventID : Object.keys(line)[0]))

describe('what is shipped', () => {
  it('are checkpoints and signing keys, and records if they are wanted; intents never', async () => {
    const { path, append, place } = await withLines()
    void append
    for (const [wanted, expected] of [
      [false, ['checkpoint', 'signingKey']],
      [true, ['1', 'checkpoint', 'signingKey', '2']],
    ] as const) {
      const sink = new Collector()
      const { delivered } = ship(path, sink, { records: wanted })
      await delivered(place)
      expect(ids(sink)).toEqual(expected)
    }
  })

  async function withLines() {
    const test = await openJournal()
    const { eventID, requestID, eventTime, eventSource, eventType } = aRecord(2)
    const intent = { eventID, requestID, eventTime, eventSource, eventType } as never
    const signingKey = { journal: 'a', time: eventTime, publicKey: 'a', previous: 'b', signature: 'c' }
    await test.append(aRecord(1), aCheckpoint(), { signingKey }, { intent }, aRecord(2))
    return { path: test.path, append: test.append, place: test.place }
  }

  it('is delivered in order and at least once, however often deliveries fail and processes end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 2000 }),
        async (failures, parts, batchSize) => {
          const test = await openJournal()
          const sink = new Collector(() => {
            if (failures.pop()) throw new Error('no')
          }, batchSize)
          let count = 0
          for (const part of parts) {
            await test.append(...records(part, count + 1))
            count += part
            const { delivered, shipper, ended } = ship(test.path, sink, { name: 'a' })
            await delivered(test.place)
            shipper.close()
            await ended
          }
          expect(ids(sink)).toEqual(records(count).map(({ eventID }) => eventID))
        },
      ),
      { numRuns: 15 },
    )
  })

  it('is delivered again from the last saved place when a process is killed', async () => {
    const test = await openJournal()
    await test.append(...records(3))
    const sink = new Collector()
    const killed = ship(test.path, sink, { name: 'a', cursor: { read: () => undefined, advance() {}, save() {} } })
    await killed.delivered(test.place)
    const { delivered } = ship(test.path, sink, { name: 'a' })
    await delivered(test.place)
    expect(ids(sink)).toEqual(['1', '2', '3', '1', '2', '3'])
  })
})

describe('a new sink', () => {
  it.each([
    ['beginning', ['1', '2']],
    ['now', ['2']],
  ] as const)('begins with the %s', async (start, expected) => {
    const test = await openJournal()
    await test.append(aRecord(1))
    const sink = new Collector()
    const { delivered, shipper } = ship(test.path, sink, { start })
    shipper.tell(test.place)
    await new Promise(setImmediate)
    await test.append(aRecord(2))
    await delivered(test.place)
    expect(ids(sink)).toEqual(expected)
  })

  it('waits until the journal is durable somewhere, and for lines until its flush interval is over or it is closed', async () => {
    const test = await openJournal()
    await test.append(...records(2))
    const sink = new Collector(() => {}, 1024 * 1024)
    const { shipper, ended } = ship(test.path, sink, { flushInterval: 3_600_000 })
    shipper.tell(test.place)
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(sink.items).toEqual([])
    shipper.close()
    await ended
    expect(ids(sink)).toEqual(['1', '2'])
  })
})

describe('segments', () => {
  /** Gives the active segment the number 1, and begins the second. */
  async function rotated() {
    const test = await openJournal()
    await test.append(...records(2))
    const first = test.place
    renameSync(test.path, segmentFile(test.path, 1))
    const header = `{"segment":{"version":1,"journal":"${first.journal}","number":2,"time":"2026-11-28T10:00:00.000Z"}}\n`
    const begun = blockOf(header, 0, { ...first, segment: 2 })
    const block = blockOf(`${JSON.stringify(aRecord(3))}\n`, 1, begun.head)
    writeFileSync(test.path, Buffer.concat([begun.bytes, block.bytes]))
    return { path: test.path, first, last: { ...block.head, offset: begun.bytes.length + block.bytes.length } }
  }

  it('are shipped one after the other', async () => {
    const { path, first, last } = await rotated()
    const sink = new Collector()
    const { delivered, reports } = ship(path, sink)
    await delivered(first)
    await delivered(last)
    expect(ids(sink)).toEqual(['1', '2', '3'])
    expect(reports.filter(report => 'gap' in report)).toEqual([])
  })

  it('are shipped while the journal is rotated, however far behind a sink is', async () => {
    const test = await openJournal(undefined, { maxSize: 2000 })
    const behind = new Collector(() => {}, 700)
    const close = new Collector()
    const early = ship(test.path, close)
    for (let i = 1; i <= 30; i++) {
      await test.append(aRecord(i))
      early.shipper.tell(test.place)
    }
    const end = test.place
    expect(end.segment).toBeGreaterThan(3)
    const late = ship(test.path, behind)
    await Promise.all([early.delivered(end), late.delivered(end)])
    const all = records(30).map(({ eventID }) => eventID)
    expect([ids(close), ids(behind)]).toEqual([all, all])
    expect([...early.reports, ...late.reports].filter(report => 'gap' in report)).toEqual([])
  })

  it('that are missing are reported, and the next one is shipped', async () => {
    const { path, last } = await rotated()
    const sink = new Collector()
    const known = ship(path, sink, { name: 'a' })
    known.shipper.close()
    writeFileSync(
      cursorFile(path, 'a'),
      JSON.stringify({ ...last, segment: 1, offset: 0, block: 0, record: 0, hash: '' }),
    )
    rmSync(segmentFile(path, 1))
    const { delivered, reports } = ship(path, sink, { name: 'a' })
    await delivered(last)
    expect(ids(sink)).toEqual(['3'])
    expect(reports).toContainEqual({ gap: expect.stringMatching(/^segment 1 of the journal: the file is missing/) })
  })

  it('that are damaged are reported, with the place, and what follows is shipped', async () => {
    const { path, last } = await rotated()
    const file = segmentFile(path, 1)
    const bytes = readFileSync(file)
    const end = bytes.lastIndexOf('{"block":{"number":3')
    writeFileSync(file, Buffer.concat([bytes.subarray(0, end), bytes.subarray(end + 1)]))
    const sink = new Collector()
    const { delivered, reports } = ship(path, sink)
    await delivered(last)
    expect(ids(sink)).toEqual(['1', '3'])
    expect(reports).toContainEqual({
      gap: expect.stringMatching(/^segment 1 of the journal is damaged after byte \d+$/),
    })
  })

  it('with a line that is no JSON are shipped without it', async () => {
    const test = await openJournal()
    await test.append(...records(2))
    writeFileSync(test.path, readFileSync(test.path, 'latin1').replace('"eventID":"1"', '"eventID":*1"'), 'latin1')
    const sink = new Collector()
    const { delivered, reports } = ship(test.path, sink)
    await delivered(test.place)
    expect(ids(sink)).toEqual(['2'])
    expect(reports).toContainEqual({ gap: 'a line in block 2 of the journal is damaged' })
  })

  it('that cannot be read are tried again', async () => {
    const test = await openJournal()
    await test.append(aRecord(1))
    const sink = new Collector()
    const place = test.place
    renameSync(test.path, `${test.path}.away`)
    const { delivered, reported, shipper } = ship(test.path, sink)
    shipper.tell(place)
    expect(await reported('failed')).toEqual({ failed: 'segment 1 of the journal is missing' })
    renameSync(`${test.path}.away`, test.path)
    await delivered(place)
    expect(ids(sink)).toEqual(['1'])
  })

  it('end where they are durable: what may be cut off again is not shipped', async () => {
    const test = await openJournal()
    await test.append(aRecord(1))
    const { head, place } = { head: test.journal.head, place: test.place }
    appendFileSync(test.path, blockOf(`${JSON.stringify(aRecord(2))}\n`, 1, head).bytes)
    const sink = new Collector()
    const { delivered } = ship(test.path, sink)
    await delivered(place)
    expect(ids(sink)).toEqual(['1'])
  })
})

describe('a cursor', () => {
  async function delivered(count: number) {
    const test = await openJournal()
    const sink = new Collector()
    await test.append(...records(count))
    const shipping = ship(test.path, sink, { name: 'a' })
    await shipping.delivered(test.place)
    shipping.shipper.close()
    await shipping.ended
    sink.items.length = 0
    return { test, sink }
  }

  it('in a journal that was restored from a copy leads to its segment, and that is reported', async () => {
    const { test, sink } = await delivered(1)
    cpSync(test.path, `${test.path}.copy`)
    await test.append(aRecord(2))
    const shipping = ship(test.path, sink, { name: 'a' })
    await shipping.delivered(test.place)
    shipping.shipper.close()
    await shipping.ended
    await test.journal.close()
    renameSync(`${test.path}.copy`, test.path)
    const restored = await openJournal(test.path.replace('/audit.jsonl', ''))
    await restored.append(aRecord(3))
    sink.items.length = 0
    const again = ship(test.path, sink, { name: 'a' })
    await again.delivered(restored.place)
    expect(ids(sink)).toEqual(['1', '3'])
    expect(again.reports).toContainEqual({ gap: expect.stringMatching(/^the journal does not have block 3 any more/) })
  })

  it('of another journal leads to the beginning of this one', async () => {
    const { test, sink } = await delivered(1)
    await test.journal.close()
    rmSync(test.path)
    const other = await openJournal(test.path.replace('/audit.jsonl', ''))
    await other.append(aRecord(2))
    const { delivered: again, reports } = ship(test.path, sink, { name: 'a' })
    await again(other.place)
    expect(ids(sink)).toEqual(['2'])
    expect(reports).toContainEqual({ gap: 'the journal is another one than before' })
  })

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{"journal":1}',
    '{"journal":"a","segment":-1,"offset":0,"block":0,"record":0,"hash":""}',
  ])('that is damaged (%j) leads to the beginning', async text => {
    const { test, sink } = await delivered(1)
    writeFileSync(cursorFile(test.path, 'a'), text)
    const again = ship(test.path, sink, { name: 'a' })
    await again.delivered(test.place)
    expect(ids(sink)).toEqual(['1'])
  })

  it('is beside the journal, readable by its owner only', async () => {
    const { test } = await delivered(1)
    expect(existsSync(test.path.replace('audit.jsonl', 'audit-sink-a.json'))).toBe(true)
    expect(test.place.hash).not.toBe(noHash)
  })
})

describe('a failing sink', () => {
  it('is reported with the reason, and tried until it succeeds', async () => {
    const test = await openJournal()
    await test.append(aRecord(1))
    let attempts = 0
    const sink = new Collector(() => {
      if (++attempts < 5) throw new Error(`attempt ${attempts}`)
    })
    const { delivered, reports } = ship(test.path, sink)
    await delivered(test.place)
    expect(reports.filter(report => 'failed' in report)).toEqual([1, 2, 3, 4].map(n => ({ failed: `attempt ${n}` })))
    expect(ids(sink)).toEqual(['1'])
  })

  it('that never answers is reported after the time-out, and does not keep its process from ending', async () => {
    const test = await openJournal()
    await test.append(aRecord(1))
    const sink = new Collector(
      signal => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    )
    const { shipper, reported, ended, reports } = ship(test.path, sink, {
      timeout: 20,
      pauses: { first: 60_000, longest: 60_000 },
    })
    shipper.tell(test.place)
    expect(await reported('failed')).toEqual({ failed: 'not delivered within 0.02 s' })
    shipper.close()
    await ended
    expect(reports.filter(report => 'failed' in report)).toHaveLength(1)
  })

  it('that asks for a pause gets it', async () => {
    const test = await openJournal()
    await test.append(aRecord(1))
    const pause = randomInt(30, 60)
    const times: number[] = []
    const sink = new Collector(() => {
      times.push(performance.now())
      if (times.length === 1) throw new TryLater('busy', pause)
    })
    const { delivered } = ship(test.path, sink)
    await delivered(test.place)
    expect(times[1]! - times[0]!).toBeGreaterThan(pause - 2)
  })
})
