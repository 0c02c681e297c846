/** The outboxes of two gateways that share storage. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAudit } from '../src/audit/audit.ts'
import type { AuditRecord } from '../src/audit/entry.ts'
import { eventId } from '../src/audit/event-id.ts'
import type { FileJournal } from '../src/audit/file-journal.ts'
import { isRecord, type Line, lineOf } from '../src/audit/format.ts'
import { linesAfter } from '../src/audit/lines-after.ts'
import { placeOf } from '../src/audit/position.ts'
import type { LogFields } from '../src/log.ts'
import { Outbox } from '../src/outbox.ts'
import { sqlite } from '../src/storage/engines/sqlite.ts'
import { openDatabase } from '../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../src/storage/sql-database.ts'
import { openStorage } from '../src/storage/sql-storage.ts'
import { Changes, Conflict, OutcomeUnknown, type Storage } from '../src/storage/storage.ts'
import { aRecord, openAt, quickFolder } from './audit/records.ts'
import { aKey } from './storage/records.ts'

let folder: string
let database: SqlDatabase

beforeEach(async () => {
  folder = mkdtempSync(join(quickFolder, 'outboxes-'))
  database = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
})
afterEach(async () => {
  await database.close()
  rmSync(folder, { recursive: true })
})

class TestGateway {
  readonly name: string
  readonly file: string
  storage!: Storage
  journal!: FileJournal
  outbox!: Outbox
  logged: LogFields[] = []

  constructor(name: string) {
    this.name = name
    this.file = join(folder, `${name}.jsonl`)
  }

  async start(journal?: FileJournal): Promise<this> {
    this.storage = await openStorage(database, { gateway: this.name, now: 0 })
    this.journal = journal ?? (await openAt(this.file, { gateway: this.name }))
    this.logged = []
    const audit = createAudit(this.journal, () => Date.now(), 'kms.amazonaws.com')
    const note = (fields: LogFields) => void this.logged.push(fields)
    this.outbox = await Outbox.open(this.storage, this.journal, {
      gateway: this.name,
      linesAfter: position => linesAfter(this.file, position, this.journal.position),
      event: (name, details) => audit.gatewayEvent(name, details),
      log: { error: note, warn: note, info: note },
    })
    return this
  }

  /** As a killed process does. */
  async crash(): Promise<void> {
    await this.journal.close()
  }

  lease(milliseconds: number): Promise<unknown> {
    return database.renewLease({
      gateway: this.name,
      run: this.name,
      position: { number: 0, eventId: undefined },
      milliseconds,
      renewal: 1,
      state: '{}',
    })
  }

  lines(): Line[] {
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .flatMap(text => lineOf(text) ?? [])
  }

  /** IDs of changes that are on record as made, with their numbers. */
  changes(): [id: string, number: number | undefined][] {
    const lines = this.lines()
    const records = lines.filter(isRecord).filter(({ readOnly, errorCode }) => !readOnly && !errorCode)
    return records.map(({ eventID }) => {
      const change = lines.find(line => 'change' in line && line.change.eventID === eventID)
      return [eventID, change && 'change' in change ? change.change.number : undefined]
    })
  }

  record(id: string): AuditRecord | undefined {
    return this.lines()
      .filter(isRecord)
      .findLast(({ eventID }) => eventID === id)
  }
}

const put = (number: number): Changes => {
  const changes = new Changes()
  changes.put('keys', aKey(number))
  return changes
}

function aChange(): AuditRecord {
  return { ...aRecord(0, { readOnly: false }), eventID: eventId(Date.now()) }
}

/** A gateway that committed a change, and was killed before its journal had the record. */
async function killed(name: string, number: number): Promise<[TestGateway, string]> {
  const gateway = await new TestGateway(name).start()
  const record = aChange()
  await gateway.outbox.begin(record)
  await gateway.outbox.commit(put(number), record)
  await gateway.crash()
  return [gateway, record.eventID]
}

describe('the numbers of changes', () => {
  it('are together without gaps, whichever gateway made them', async () => {
    const gateways = [await new TestGateway('a').start(), await new TestGateway('b').start()]
    for (const number of [1, 2, 3, 4, 5]) await gateways[number % 2]!.outbox.record(put(number), aChange())
    await gateways[0]!.outbox.record(new Changes(), aChange())
    expect(gateways.map(gateway => gateway.changes().map(([, number]) => number))).toEqual([
      [2, 4],
      [1, 3, 5],
    ])
    for (const gateway of gateways) await gateway.crash()
  })

  it('stand in the block of the record', async () => {
    const gateway = await new TestGateway('a').start()
    const record = aChange()
    await gateway.outbox.record(put(1), record)
    await gateway.crash()
    const [, change, written, trailer] = readFileSync(gateway.file, 'utf8').trimEnd().split('\n').slice(1)
    expect(JSON.parse(change!)).toEqual({ change: { number: 1, eventID: record.eventID } })
    expect(JSON.parse(written!)).toEqual(record)
    expect(trailer).toMatch(/^\{"block":/)
  })
})

describe('what a gateway left in storage', () => {
  it('is not touched by the start of another, and settled by its own', async () => {
    const [a, id] = await killed('a', 1)
    const b = await new TestGateway('b').start()
    expect(b.lines()).toEqual([])
    await a.start()
    expect(a.changes()).toEqual([[id, 1]])
    expect(await a.storage.outbox.list()).toEqual([])
    for (const gateway of [a, b]) await gateway.crash()
  })

  it('is written by another only when it has no lease, and says whose it was', async () => {
    const [a, id] = await killed('a', 1)
    const b = await new TestGateway('b').start()
    await a.lease(60_000)
    expect(await b.outbox.abandoned()).toEqual([])
    await database.endLease('a')
    expect(await b.outbox.takeOver(await b.outbox.abandoned())).toBe(1)
    await b.outbox.settle()
    expect(b.changes()).toEqual([[id, 1]])
    const takenOverFrom = { journal: a.journal.head.journal, gateway: 'a' }
    expect(b.record(id)).toMatchObject({
      addendum: { reason: 'DELIVERY_DELAY' },
      additionalEventData: { strongroom: { takenOverFrom } },
    })
    await b.crash()
  })

  it('is on record once even if it comes back', async () => {
    const [a, id] = await killed('a', 1)
    const b = await new TestGateway('b').start()
    await b.outbox.takeOver(await b.outbox.abandoned())
    await a.start()
    await b.outbox.settle()
    for (const again of [1, 2]) {
      expect(a.changes(), `start ${again}`).toEqual([])
      const [event, ...others] = a.lines().filter(isRecord)
      expect(event).toMatchObject({ eventName: 'AuditRecordsTakenOver', serviceEventDetails: { eventIDs: [id] } })
      expect(others).toEqual([])
      await a.outbox.settle({ isLast: true })
      await a.crash()
      await a.start()
    }
    expect(b.changes()).toEqual([[id, 1]])
    for (const gateway of [a, b]) await gateway.crash()
  })

  it('is written once by one that is killed in between', async () => {
    const [a, id] = await killed('a', 1)
    const b = await new TestGateway('b').start()
    await b.outbox.takeOver(await b.outbox.abandoned())
    await b.crash()
    for (const _ of [1, 2]) {
      await b.start()
      expect(b.changes()).toEqual([[id, 1]])
      expect(b.record(id)).toMatchObject({
        additionalEventData: { strongroom: { takenOverFrom: { journal: a.journal.head.journal } } },
      })
      await b.crash()
    }
  })

  it('may be in both journals, and is no change that storage has lost', async () => {
    const a = await new TestGateway('a').start()
    const record = aChange()
    await a.outbox.record(put(1), record)
    await a.crash()
    const b = await new TestGateway('b').start()
    await b.outbox.takeOver(await b.outbox.abandoned())
    await b.outbox.settle()
    await a.start()
    expect([a.changes(), b.changes()]).toEqual([[[record.eventID, 1]], [[record.eventID, 1]]])
    expect(a.logged).toEqual([])
    for (const gateway of [a, b]) await gateway.crash()
  })

  it('is not written by a gateway whose records were taken over while it could not write them', async () => {
    const a = await new TestGateway('a').start()
    const { append } = a.journal
    a.journal.append = async () => Promise.reject(new Error('the disk is full'))
    await a.outbox.record(put(1), aChange())
    const b = await new TestGateway('b').start()
    await b.outbox.takeOver(await b.outbox.abandoned())
    a.journal.append = append
    await a.outbox.settle()
    await b.outbox.settle()
    expect([a.changes(), b.changes().length]).toEqual([[], 1])
    for (const gateway of [a, b]) await gateway.crash()
  })

  it('is its own under another name, with the same journal', async () => {
    const [a, id] = await killed('a', 1)
    const renamed = new TestGateway('renamed')
    Object.assign(renamed, { file: a.file })
    await renamed.start()
    expect(renamed.changes()).toEqual([[id, 1]])
    await renamed.crash()
  })
})

describe('a journal', () => {
  it('is refused to a gateway while another one that has it has a lease', async () => {
    const a = await new TestGateway('a').start()
    await a.lease(60_000)
    await expect(new TestGateway('b').start(a.journal)).rejects.toBeInstanceOf(Conflict)
    await database.endLease('a')
    await new TestGateway('b').start(a.journal)
    expect(await a.storage.journals.list()).toMatchObject([{ id: placeOf(a.journal.position)!.journal, gateway: 'b' }])
    await a.crash()
  })
})

describe('a commit of which it is not known whether it was made', () => {
  it.each([true, false])('gets its true record as soon as storage answers again: made %s', async isMade => {
    const a = await new TestGateway('a').start()
    const commit = a.storage.commit.bind(a.storage)
    a.storage.commit = async (...commits) => {
      if (isMade) await commit(...commits)
      throw new OutcomeUnknown()
    }
    const record = aChange()
    await a.outbox.begin(record)
    await expect(a.outbox.commit(put(1), record)).rejects.toMatchObject({ code: 'DependencyTimeout' })
    await a.outbox.fail({ ...record, errorCode: 'DependencyTimeoutException' })
    expect(a.record(record.eventID)).toMatchObject({ errorCode: 'DependencyTimeoutException' })
    const { list } = a.storage.outbox
    a.storage.outbox.list = () => Promise.reject(new Error('no connection'))
    await expect(a.outbox.settle()).rejects.toThrow('no connection')
    a.storage.outbox.list = list
    await a.outbox.settle()
    await a.outbox.settle()
    expect(a.changes()).toEqual(isMade ? [[record.eventID, 1]] : [])
    if (isMade)
      expect(a.record(record.eventID)).toMatchObject({ additionalEventData: { strongroom: { answered: false } } })
    expect(await a.storage.outbox.list()).toEqual([])
    await a.crash()
  })
})

describe('storage that is older than a journal', () => {
  it('is on record, with the numbers that it gives again', async () => {
    const a = await new TestGateway('a').start()
    for (const number of [1, 2, 3]) {
      await a.outbox.record(put(number), aChange())
      await a.outbox.settle()
    }
    const [, second] = a.changes()
    const { positions } = (await a.storage.journals.list())[0]!
    await a.outbox.record(put(4), aChange())
    await a.outbox.settle()
    await a.crash()
    await database.close()
    database = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
    await database.registerJournal(a.journal.head.journal, 'a')
    await database.removeRecords([], a.journal.head.journal, positions!)
    await a.start()
    expect(second).toBeDefined()
    expect(a.logged).toMatchObject([{ event: 'storage_outdated', changes: 1 }])
    await a.crash()
    const [rewind] = a.lines().filter(line => 'rewind' in line)
    expect(rewind).toMatchObject({ rewind: { from: 4, to: 0 } })
    expect(a.lines().findLast(isRecord)).toMatchObject({
      eventName: 'StorageLostChanges',
      serviceEventDetails: { from: 4, to: 0, changes: 1 },
    })
  })
})
