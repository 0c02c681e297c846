import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuditRecord } from '../src/audit/entry.ts'
import type { FileJournal } from '../src/audit/file-journal.ts'
import { isRecordLine } from '../src/audit/format.ts'
import { OperatorError } from '../src/errors.ts'
import type { LogFields } from '../src/log.ts'
import { Outbox, Undelivered } from '../src/outbox.ts'
import { sqlite } from '../src/storage/engines/sqlite.ts'
import { Changes, Conflict, type Storage } from '../src/storage/storage.ts'
import { aRecord, openAt } from './audit/records.ts'
import { recordsIn } from './end-to-end/gateway.ts'
import { openHere } from './storage/open.ts'
import { aKey } from './storage/records.ts'

let folder: string
let journalFile: string
let storage: Storage
let journal: FileJournal
let outbox: Outbox
/** What the log said of it at the last start. */
let outdated: LogFields[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outbox-'))
  journalFile = join(folder, 'audit.jsonl')
  await start()
})
afterEach(async () => {
  await crash()
  rmSync(folder, { recursive: true })
})

async function start(): Promise<void> {
  storage = await openHere(sqlite(join(folder, 'storage.db'), { create: true }))
  const held = await storage.outbox.list()
  journal = await openAt(journalFile, { awaited: held.length > 0 })
  outdated = []
  const note = (fields: LogFields) => {
    if (fields.event === 'storage_outdated') outdated.push(fields)
  }
  outbox = await Outbox.open(storage, journal, held, { error: note, warn: note, info: note })
}

/** Ends as a killed process does: nothing is settled. */
async function crash(): Promise<void> {
  await journal.close()
  await storage.close()
}

function putting(number: number): [Changes, AuditRecord] {
  const record = aRecord(number, { readOnly: false })
  const changes = new Changes()
  changes.put('keys', aKey(number))
  return [changes, record]
}

const late = (number: number) => ({
  ...aRecord(number, { readOnly: false }),
  additionalEventData: { answered: false },
  addendum: { reason: 'DELIVERY_DELAY' },
})

/** Where the journal is not the one that the record would be in. */
const perhapsAnswered = (number: number) => ({
  ...aRecord(number, { readOnly: false }),
  addendum: { reason: 'DELIVERY_DELAY' },
})

describe('a change and its record', () => {
  it('are both written once, and storage removes the record when the journal has it', async () => {
    await outbox.record(...putting(1))
    expect(await storage.outbox.list()).toMatchObject([{ eventId: '1' }])
    await outbox.settle()
    expect(await storage.outbox.list()).toEqual([])
    expect(recordsIn(journalFile)).toEqual([aRecord(1, { readOnly: false })])
  })

  it('are both written when storage removes other records meanwhile, or cannot', async () => {
    const remove = storage.outbox.remove
    const removing = Promise.withResolvers<void>()
    storage.outbox.remove = async (...removed) => {
      await removing.promise
      return remove(...removed)
    }
    await outbox.record(...putting(1))
    const settled = outbox.settle()
    await outbox.record(...putting(2))
    await outbox.record(...putting(3))
    removing.resolve()
    await settled
    expect((await storage.outbox.list()).map(({ eventId }) => eventId)).toEqual(['2', '3'])
    storage.outbox.remove = async () => Promise.reject(new Error('the disk is full'))
    await expect(outbox.settle()).rejects.toThrow('the disk is full')
    storage.outbox.remove = remove
    await outbox.settle()
    expect(await storage.outbox.list()).toEqual([])
  })

  it('are neither written after a conflict', async () => {
    await outbox.record(...putting(1))
    const [changes] = putting(1)
    await expect(outbox.record(changes, aRecord(2))).rejects.toBeInstanceOf(Conflict)
    await outbox.settle()
    expect(recordsIn(journalFile).map(({ eventID }) => eventID)).toEqual(['1'])
  })

  it('need no change in storage when nothing is changed', async () => {
    await outbox.record(new Changes(), aRecord(1))
    expect(await storage.outbox.list()).toEqual([])
    expect(recordsIn(journalFile)).toEqual([aRecord(1)])
  })

  it('are no change when nothing is changed by an operation that might', async () => {
    await outbox.record(new Changes(), aRecord(1, { readOnly: false }))
    expect(recordsIn(journalFile)).toEqual([aRecord(1, { readOnly: true })])
  })
})

describe('a crash', () => {
  it('between the commit and the journal has the record written at the next start, marked, and once', async () => {
    await outbox.record(...putting(1))
    await outbox.commit(...putting(2))
    await outbox.commit(...putting(3))
    await crash()
    await start()
    expect(recordsIn(journalFile)).toEqual([aRecord(1, { readOnly: false }), late(2), late(3)])
    await crash()
    await start()
    expect(recordsIn(journalFile)).toHaveLength(3)
    expect(await storage.outbox.list()).toEqual([])
  })

  it('after the journal was written does not have the record written again', async () => {
    for (const number of [1, 2, 3]) await outbox.record(...putting(number))
    await crash()
    await start()
    expect(recordsIn(journalFile)).toHaveLength(3)
  })

  it('in the middle of the record has it written whole', async () => {
    await outbox.record(...putting(1))
    await outbox.commit(...putting(2))
    await crash()
    appendFileSync(journalFile, JSON.stringify(aRecord(2)).slice(0, 30))
    await start()
    expect(recordsIn(journalFile)).toEqual([aRecord(1, { readOnly: false }), late(2)])
  })

  it('is not taken for settled by a record that the event failed', async () => {
    await outbox.commit(...putting(1))
    await journal.append(aRecord(1, { errorCode: 'KMSInternalException' }))
    await crash()
    await start()
    expect(recordsIn(journalFile)).toEqual([aRecord(1, { errorCode: 'KMSInternalException' }), late(1)])
  })

  it('is settled in a copy of the journal, too', async () => {
    await outbox.record(...putting(1))
    await outbox.commit(...putting(2))
    await crash()
    const text = readFileSync(journalFile)
    renameSync(journalFile, join(folder, 'old'))
    writeFileSync(journalFile, text)
    await start()
    expect(recordsIn(journalFile)).toEqual([aRecord(1, { readOnly: false }), late(2)])
  })

  it.each<readonly [name: string, damage: () => unknown]>([
    ['moved away', () => writeFileSync(journalFile, '')],
    [
      'replaced by a new one',
      async () => {
        const other = await openAt(journalFile)
        await other.append(aRecord(9))
        await other.close()
      },
    ],
    ['cut off', () => truncateSync(journalFile, 0)],
  ])('says nothing of answers after a journal that was %s', async (name, damage) => {
    await journal.append(aRecord(0))
    for (const number of [1, 2]) await outbox.record(...putting(number))
    await crash()
    if (name !== 'cut off') renameSync(journalFile, join(folder, 'old'))
    await damage()
    await start()
    expect(recordsIn(journalFile).filter(({ eventID }) => eventID !== '9')).toEqual([
      perhapsAnswered(1),
      perhapsAnswered(2),
    ])
  })

  it('has the record written again of which the journal holds a damaged line', async () => {
    await outbox.record(...putting(1))
    await outbox.record(...putting(2))
    await crash()
    writeFileSync(journalFile, readFileSync(journalFile, 'utf8').replace('"eventID":"1"', '"eventID":"1",,'))
    await start()
    const [, ...whole] = readFileSync(journalFile, 'utf8').trimEnd().split('\n').filter(isRecordLine)
    expect(whole.map(line => JSON.parse(line) as object)).toEqual([aRecord(2, { readOnly: false }), late(1)])
  })

  it('is followed by no start without the journal, unless an empty file is put in its place', async () => {
    await outbox.record(...putting(1))
    await crash()
    renameSync(journalFile, join(folder, 'old'))
    const opened = start()
    await expect(opened).rejects.toBeInstanceOf(OperatorError)
    await expect(opened).rejects.toThrow(`audit journal ${journalFile} is missing`)
    await storage.close()
    writeFileSync(journalFile, '')
    await start()
    expect(recordsIn(journalFile)).toEqual([perhapsAnswered(1)])
  })
})

describe('a journal that cannot be written', () => {
  it('gets the record of a committed change as soon as it can, and no other change meanwhile', async () => {
    const putOnRecord = await outbox.commit(...putting(1))
    await journal.close()
    await expect(putOnRecord()).rejects.toBeInstanceOf(Undelivered)
    await expect(outbox.commit(...putting(2))).rejects.toMatchObject({ code: 'Internal' })
    expect(storage.keys.find(aKey(2).arn)).toBeUndefined()
    await expect(outbox.settle()).rejects.toThrow()
    expect(recordsIn(journalFile)).toEqual([])
    await crash()
    await start()
    expect(recordsIn(journalFile)).toEqual([late(1)])
    await outbox.record(...putting(2))
  })

  it('costs what the gateway does by itself no change: its record is in storage', async () => {
    const [changes, record] = putting(1)
    const append = journal.append.bind(journal)
    journal.append = async () => Promise.reject(new Error('the disk is full'))
    await outbox.record(changes, { ...record, eventType: 'AwsServiceEvent' })
    await expect(outbox.settle()).rejects.toThrow('the disk is full')
    journal.append = append
    await outbox.settle()
    const service = { ...record, eventType: 'AwsServiceEvent', addendum: { reason: 'DELIVERY_DELAY' } }
    expect(recordsIn(journalFile)).toEqual([service])
    expect(await storage.outbox.list()).toEqual([])
  })
})

describe('storage that was restored from a copy', () => {
  const database = () => join(folder, 'storage.db')
  const copy = () => join(folder, 'copy.db')

  /** Copies storage in the state after a crash. */
  async function copied(): Promise<void> {
    await crash()
    copyFileSync(database(), copy())
    await start()
  }

  async function restored(): Promise<void> {
    await crash()
    copyFileSync(copy(), database())
    await start()
  }

  it('is reported when the journal has changes that it does not, with their number and the first of them', async () => {
    await outbox.record(...putting(1))
    await outbox.settle()
    await copied()
    for (const number of [2, 3]) await outbox.record(...putting(number))
    await journal.append(aRecord(4, { readOnly: true }))
    await outbox.record(new Changes(), aRecord(6, { readOnly: false }))
    await journal.append(aRecord(5, { readOnly: false, errorCode: 'KMSInternalException' }))
    await restored()
    const { eventTime } = aRecord(2)
    expect(outdated).toEqual([{ event: 'storage_outdated', changes: 2, eventID: '2', eventTime }])
  })

  it('is not reported beside a journal that was moved away since', async () => {
    await outbox.record(...putting(1))
    await outbox.settle()
    await copied()
    await outbox.record(...putting(2))
    await outbox.settle()
    await crash()
    renameSync(journalFile, join(folder, 'old'))
    await start()
    await restored()
    expect(outdated).toEqual([])
  })

  it('is reported whenever a change is missing, and never else, whatever was killed in between', async () => {
    const step = fc.constantFrom('record', 'record', 'commit', 'settle', 'crash', 'copy')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async steps => {
        await crash()
        for (const file of [database(), journalFile]) rmSync(file, { force: true })
        await start()
        // A new storage has no position yet.
        await outbox.record(...putting(0))
        await outbox.settle()
        await copied()
        let [number, missing] = [0, 0]
        for (const step of steps) {
          if (step === 'record') await outbox.record(...putting(++number))
          if (step === 'commit') await outbox.commit(...putting(++number))
          if (step === 'settle') await outbox.settle()
          if (step === 'crash') await crash().then(start)
          if (step === 'copy') await copied()
          expect(outdated).toEqual([])
          if (step === 'record' || step === 'commit') missing++
          if (step === 'copy') missing = 0
        }
        // Writes the records of what was committed and not yet recorded.
        await crash()
        await start()
        expect(outdated).toEqual([])
        await restored()
        expect(outdated.map(({ changes }) => changes)).toEqual(missing === 0 ? [] : [missing])
      }),
      { numRuns: 8 },
    )
  }, 60_000)
})
