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
import { isRecord, isRecordLine, lineOf } from '../src/audit/format.ts'
import { linesAfter } from '../src/audit/lines-after.ts'
import { Failure, OperatorError } from '../src/errors.ts'
import type { LogFields } from '../src/log.ts'
import { Outbox, Undelivered } from '../src/outbox.ts'
import { sqlite } from '../src/storage/engines/sqlite.ts'
import { Changes, Conflict, type RegisteredJournal, type Storage } from '../src/storage/storage.ts'
import { aRecord, openAt } from './audit/records.ts'
import { recordsIn } from './end-to-end/gateway.ts'
import { openHere } from './storage/open.ts'
import { aKey, anObject } from './storage/records.ts'
import { runs } from './thorough.ts'

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
  outbox = await Outbox.open(storage, journal, {
    gateway: 'gateway',
    linesAfter: position => linesAfter(journalFile, position, journal.position),
    log: { error: note, warn: note, info: note },
  })
}

const positions = async () => (await storage.journals.list())[0]?.positions

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
  additionalEventData: { strongroom: { answered: false } },
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

describe('a change that is further events', () => {
  const arnIn = (region: string) => `arn:aws:kms:${region}:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab`
  function several(): [Changes, AuditRecord] {
    const [changes, record] = putting(1)
    const requestParameters = { primaryRegion: 'eu-west-1' }
    changes.events.push({
      name: 'UpdatePrimaryRegion',
      resource: arnIn('eu-west-1'),
      members: call => ({ ...call, responseElements: { keyId: arnIn('eu-west-1') } }),
    })
    changes.events.push({ name: 'SynchronizeMultiRegionKey', resource: arnIn('us-east-1') })
    return [changes, { ...record, requestParameters, userIdentity: { type: 'IAMUser' } }]
  }
  const resources = (region: string) => [{ accountId: '111122223333', type: 'AWS::KMS::Key', ARN: arnIn(region) }]
  const further = [
    {
      eventName: 'UpdatePrimaryRegion',
      awsRegion: 'eu-west-1',
      userIdentity: { type: 'IAMUser' },
      requestParameters: { primaryRegion: 'eu-west-1' },
      responseElements: { keyId: arnIn('eu-west-1') },
      resources: resources('eu-west-1'),
    },
    {
      eventName: 'SynchronizeMultiRegionKey',
      eventType: 'AwsServiceEvent',
      awsRegion: 'us-east-1',
      requestParameters: null,
      responseElements: { keyId: arnIn('us-east-1') },
      resources: resources('us-east-1'),
    },
  ]

  it('has a record of each, with an ID of its own', async () => {
    const [changes, record] = several()
    await outbox.record(changes, record)
    const written = recordsIn(journalFile)
    expect(written).toMatchObject([record, ...further])
    expect(new Set(written.map(({ eventID }) => eventID)).size).toBe(3)
    await outbox.settle()
    expect(await storage.outbox.list()).toEqual([])
  })

  it('has all of them written after a crash, once', async () => {
    await outbox.commit(...several())
    for (let times = 0; times < 2; times++) {
      await crash()
      await start()
      const written = recordsIn(journalFile).map(({ eventName }) => eventName)
      expect(written.sort()).toEqual([aRecord(1).eventName, ...further.map(({ eventName }) => eventName)].sort())
    }
    expect(await storage.outbox.list()).toEqual([])
  })

  it('has none of them after a conflict', async () => {
    await outbox.record(...putting(1))
    await expect(outbox.record(...several())).rejects.toBeInstanceOf(Conflict)
    await outbox.settle()
    expect(recordsIn(journalFile)).toHaveLength(1)
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
    expect(recordsIn(journalFile).filter(({ eventID }) => eventID !== '9')).toMatchObject([
      perhapsAnswered(1),
      perhapsAnswered(2),
    ])
  })

  it('has the record written again of which the journal holds a damaged line', async () => {
    await outbox.record(...putting(1))
    await outbox.record(...putting(2))
    await crash()
    writeFileSync(journalFile, readFileSync(journalFile, 'utf8').replace('"eventID":"1","r', '"eventID":"1",,"r'))
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
    // The lost one may have it, too.
    const [{ id }] = (await storage.journals.list()) as [RegisteredJournal]
    const takenOverFrom = { journal: id, gateway: 'gateway' }
    expect(recordsIn(journalFile)).toEqual([
      { ...perhapsAnswered(1), additionalEventData: { strongroom: { takenOverFrom } } },
    ])
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
      { numRuns: runs(8) },
    )
  }, 60_000)
})

describe('the intent of a change', () => {
  const intended = (number: number) => aRecord(number, { readOnly: false, requestParameters: { keyId: `${number}` } })
  const lines = () =>
    readFileSync(journalFile, 'utf8')
      .split('\n')
      .flatMap(text => lineOf(text) ?? [])
  const intentsAndRecords = () =>
    lines()
      .filter(line => !('change' in line))
      .map(line => ('intent' in line ? `intent ${line.intent.eventID}` : isRecord(line) ? line.eventID : '?'))
  const notCommitted = (number: number) => ({
    ...intended(number),
    errorCode: 'InternalFailure',
    errorMessage: 'The gateway stopped before the change was committed.',
    additionalEventData: { strongroom: { answered: false } },
    addendum: { reason: 'DELIVERY_DELAY' },
  })

  it('is on disk before the change, and its record follows', async () => {
    await outbox.begin(intended(1))
    expect(lines()).toEqual([{ intent: intended(1) }])
    await outbox.record(...putting(1))
    expect(intentsAndRecords()).toEqual(['intent 1', '1'])
  })

  it('that a crash left open gets a record of failure at the next start, once, if storage has no such change', async () => {
    await outbox.begin(intended(1))
    await outbox.begin(intended(2))
    await outbox.record(...putting(2))
    await crash()
    await start()
    const [, ...records] = recordsIn(journalFile)
    expect(records).toEqual([notCommitted(1)])
    for (let times = 0; times < 2; times++) {
      await crash()
      await start()
    }
    expect(intentsAndRecords()).toEqual(['intent 1', 'intent 2', '2', '1'])
  })

  it('that a crash left open gets the record of success if storage has the change', async () => {
    await outbox.begin(intended(1))
    await outbox.commit(...putting(1))
    await crash()
    await start()
    expect(recordsIn(journalFile)).toEqual([late(1)])
    await crash()
    await start()
    expect(intentsAndRecords()).toEqual(['intent 1', '1'])
  })

  it.each<readonly [string, () => Promise<unknown>]>([
    ['a failure', () => outbox.fail(aRecord(1, { readOnly: false, errorCode: 'KMSInternalException' }))],
    ['a success that changed nothing', () => outbox.record(new Changes(), intended(1))],
    ['a success', () => outbox.record(...putting(1))],
  ])('is closed by %s', async (_, close) => {
    await outbox.begin(intended(1))
    await close()
    await crash()
    await start()
    expect(intentsAndRecords()).toEqual(['intent 1', '1'])
  })

  it('may be written again after a conflict', async () => {
    await outbox.record(...putting(1))
    await outbox.begin(intended(2))
    await expect(outbox.commit(putting(1)[0], intended(2))).rejects.toBeInstanceOf(Conflict)
    await outbox.begin(intended(2))
    await crash()
    await start()
    expect(recordsIn(journalFile).slice(1)).toEqual([notCommitted(2)])
  })

  it('of a call that lasts is found however many changes were made, and settled, meanwhile', async () => {
    await outbox.begin(intended(1))
    for (let number = 2; number < 5; number++) {
      await outbox.record(...putting(number))
      await outbox.settle()
      expect(await storage.outbox.list()).toEqual([])
    }
    await crash()
    await start()
    expect(outdated).toEqual([])
    expect(recordsIn(journalFile).at(-1)).toEqual(notCommitted(1))
  })

  it('is nowhere before the end of the journal that storage is told when the gateway stops, even after calls that only read', async () => {
    await outbox.record(...putting(1))
    await outbox.settle()
    await journal.append(aRecord(2))
    await outbox.settle()
    expect((await positions())!.end).not.toBe(journal.position)
    await outbox.settle({ isLast: true })
    expect(await positions()).toEqual({ end: journal.position, earliest: journal.position })
  })

  it('is found by a start that comes long after storage was told of the journal last', async () => {
    await outbox.record(...putting(1))
    await outbox.settle()
    const before = await positions()
    await Promise.all(Array.from({ length: 20_001 }, (_, number) => journal.append(aRecord(number + 10))))
    await outbox.settle()
    expect(await positions()).not.toEqual(before)
    await outbox.begin(intended(2))
    await crash()
    await start()
    expect(recordsIn(journalFile).at(-1)).toEqual(notCommitted(2))
  })

  it('that cannot be written refuses the change, and leaves nothing open', async () => {
    const { append } = journal
    journal.append = async () => Promise.reject(new Error('the disk is full'))
    await expect(outbox.begin(intended(1))).rejects.toThrow('the disk is full')
    journal.append = append
    await outbox.settle()
    await crash()
    await start()
    expect(lines()).toEqual([])
  })

  it('whose failure cannot be written is settled as soon as the journal can be written', async () => {
    await outbox.begin(intended(1))
    const failure = aRecord(1, { readOnly: false, errorCode: 'ValidationException' })
    const { append } = journal
    journal.append = async () => Promise.reject(new Error('the disk is full'))
    await expect(outbox.fail(failure)).rejects.toThrow('the disk is full')
    await expect(outbox.fail(aRecord(2))).rejects.toThrow('the disk is full')
    journal.append = append
    await outbox.settle()
    expect(recordsIn(journalFile)).toEqual([{ ...failure, addendum: { reason: 'DELIVERY_DELAY' } }])
  })

  it('is refused while storage cannot be written', async () => {
    await storage.close()
    await expect(outbox.commit(...putting(1))).rejects.toThrow()
    await expect(outbox.begin(intended(2))).rejects.toMatchObject({ code: 'Internal' })
    expect(lines().filter(line => 'intent' in line)).toEqual([])
    storage = await openHere(sqlite(join(folder, 'storage.db')))
  })

  it('has one outcome, and that is true, whatever was killed in between', async () => {
    const step = fc.constantFrom('begin', 'commit', 'deliver', 'fail', 'nothing', 'settle', 'crash')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async steps => {
        await crash()
        for (const file of [join(folder, 'storage.db'), journalFile]) rmSync(file, { force: true })
        await start()
        let number = 0
        let begun: number[] = []
        let delivering: (() => Promise<void>)[] = []
        const committed = new Set<string>()
        for (const step of steps) {
          if (step === 'begin') await outbox.begin(intended(begun[begun.push(++number) - 1]!))
          if (step === 'settle') await outbox.settle()
          if (step === 'deliver') await delivering.shift()?.()
          if (step === 'crash') {
            await crash().then(start)
            begun = []
            delivering = []
          }
          const next = ['commit', 'fail', 'nothing'].includes(step) ? begun.shift() : undefined
          if (next === undefined) continue
          if (step === 'commit') {
            delivering.push(await outbox.commit(...putting(next)))
            committed.add(`${next}`)
          }
          if (step === 'fail') await outbox.fail(aRecord(next, { readOnly: false, errorCode: 'Some' }))
          if (step === 'nothing') await outbox.record(new Changes(), intended(next))
        }
        await crash()
        await start()
        const records = recordsIn(journalFile)
        expect(records.map(({ eventID }) => eventID).sort()).toEqual(
          Array.from({ length: number }, (_, index) => `${index + 1}`).sort(),
        )
        const changes = records.filter(({ readOnly, errorCode }) => readOnly === false && errorCode === undefined)
        expect(new Set(changes.map(({ eventID }) => eventID))).toEqual(committed)
        expect(outdated).toEqual([])
        expect(await storage.outbox.list()).toEqual([])
      }),
      { numRuns: runs(12) },
    )
  }, 60_000)
})

describe('an act of the gateway itself', () => {
  const intent = aRecord(1, { readOnly: false, eventType: 'AwsServiceEvent', additionalEventData: { hsm: 'first' } })
  const outcome = { ...intent, additionalEventData: { hsm: 'first', objectId: 'one' } }

  it('has its intent on disk before it begins, and its outcome after', async () => {
    await outbox.act(intent, async changes => {
      expect(readFileSync(journalFile, 'utf8')).toContain(`{"intent":${JSON.stringify(intent)}}`)
      changes.put('keys', aKey(1))
      return outcome
    })
    expect(recordsIn(journalFile)).toEqual([outcome])
    expect(storage.keys.find(aKey(1).arn)).toBeDefined()
  })

  it('that fails is on record, with why', async () => {
    const failed = outbox.act(intent, () => Promise.reject(new Failure('KeyUnavailable', 'The HSM is not available.')))
    await expect(failed).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(recordsIn(journalFile)).toEqual([
      { ...intent, errorCode: 'KeyUnavailable', errorMessage: 'The HSM is not available.' },
    ])
  })

  it('is taken back if it fails half-way', async () => {
    const undone: Changes[] = []
    const failing = async (changes: Changes) => {
      changes.created.push(anObject(1))
      throw new Failure('KeyUnavailable')
    }
    const act = outbox.act(intent, failing, async changes => void undone.push(changes))
    await expect(act).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(undone.map(({ created }) => created)).toEqual([[anObject(1)]])
  })

  it('is taken back after a conflict', async () => {
    await outbox.record(...putting(2))
    const undone: Changes[] = []
    const conflicting = async (changes: Changes) => {
      changes.put('keys', aKey(2))
      return outcome
    }
    await expect(outbox.act(intent, conflicting, async changes => void undone.push(changes))).rejects.toBeInstanceOf(
      Conflict,
    )
    expect(undone).toHaveLength(1)
    expect(recordsIn(journalFile)[1]).toMatchObject({ eventID: '1', errorCode: 'Conflict' })
  })

  it('does not begin if its intent cannot be written', async () => {
    await journal.close()
    let begun = false
    const act = outbox.act(intent, async () => {
      begun = true
      return outcome
    })
    await expect(act).rejects.toThrow()
    expect(begun).toBe(false)
    journal = await openAt(journalFile)
  })
})
