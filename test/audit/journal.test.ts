import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Condition, SegmentFile } from '../../src/audit/active-file.ts'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { FileJournal } from '../../src/audit/file-journal.ts'
import { blockOf, hashOf, isRecordLine, noHash, trailerMark, trailerOf } from '../../src/audit/format.ts'
import type { DurableEnd } from '../../src/audit/tail.ts'
import { Failure, OperatorError } from '../../src/errors.ts'
import { eventsIn } from './chained-events.ts'
import { aRecord, journalOptions, noBlock, openAt } from './records.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'journal-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

describe('the audit journal', () => {
  it('holds every record as it was appended, in order, one to a line', async () => {
    const text = fc.string({ unit: 'binary' })
    const bursts = fc.array(fc.array(fc.record({ userAgent: text, requestParameters: fc.dictionary(text, text) })))
    await fc.assert(
      fc.asyncProperty(bursts, async bursts => {
        const file = new Disk()
        const journal = journalOn(file)
        const appended: AuditRecord[] = []
        for (const burst of bursts) {
          const records = burst.map((rest, index) => aRecord(appended.length + index, rest))
          appended.push(...records)
          await Promise.all(records.map(record => journal.append(record)))
        }
        await journal.close()
        expect(file.records()).toEqual(JSON.parse(JSON.stringify(appended)))
      }),
      { numRuns: 50 },
    )
  })

  it('holds exactly the records that were accepted, however the disk fails', async () => {
    const plan = fc.array(fc.record({ burst: fc.integer({ min: 1, max: 5 }), fault }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(plan, async plan => {
        const file = new Disk()
        const journal = journalOn(file)
        const accepted: string[] = []
        let number = 0
        for (const { burst, fault } of plan) {
          file.fault = fault
          const records = Array.from({ length: burst }, () => aRecord(number++))
          const outcomes = await Promise.allSettled(records.map(record => journal.append(record)))
          const statuses = new Set(outcomes.map(outcome => outcome.status))
          expect(statuses.size).toBe(1)
          expect(journal.failing).toBe(statuses.has('rejected'))
          if (!journal.failing) accepted.push(...records.map(record => record.eventID))
          if (!fault.endsWith('truncate')) expect(file.records().map(record => record.eventID)).toEqual(accepted)
        }
        file.fault = 'none'
        await journal.append(aRecord(number))
        expect(journal.failing).toBe(false)
        expect(file.records().map(record => record.eventID)).toEqual([...accepted, `${number}`])
      }),
    )
  })

  it('batches records that arrive during a write', async () => {
    const file = new Disk()
    const journal = journalOn(file)
    const release = file.holdWrite()
    const first = Array.from({ length: 64 }, (_, number) => journal.append(aRecord(number)))
    await file.writing
    const second = Array.from({ length: 64 }, (_, number) => journal.append(aRecord(64 + number)))
    release()
    await Promise.all([...first, ...second])
    expect(file.writes).toBe(2)
    expect(file.records().map(record => Number(record.eventID))).toEqual([...Array(128).keys()])
  })

  it('resolves an append only when it is durable', async () => {
    const file = new Disk()
    const journal = journalOn(file)
    const release = file.holdWrite()
    let accepted = false
    const appended = journal.append(aRecord(1)).then(() => {
      accepted = true
    })
    await file.writing
    await new Promise(setImmediate)
    expect(file.records()).toHaveLength(1)
    expect(accepted).toBe(false)
    release()
    await appended
    expect(accepted).toBe(true)
  })

  it('rejects with an Internal failure without a message, with its cause', async () => {
    const file = new Disk()
    const journal = journalOn(file)
    file.fault = 'lost'
    const failure = await journal.append(aRecord(1)).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Failure)
    expect(failure).toMatchObject({ code: 'Internal', message: '', cause: { code: 'EIO' } })
  })

  it('rejects only a record that is not JSON', async () => {
    const file = new Disk()
    const journal = journalOn(file)
    const outcomes = await Promise.allSettled([
      journal.append(aRecord(1)),
      journal.append(aRecord(2, { requestParameters: { number: 1n } })),
      journal.append(aRecord(3)),
    ])
    expect(outcomes.map(outcome => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(file.records().map(record => record.eventID)).toEqual(['1', '3'])
  })

  it('writes queued records before it closes, and accepts none afterwards', async () => {
    const path = join(directory, 'closed')
    const journal = await openAt(path)
    const appended = [journal.append(aRecord(1)), journal.append(aRecord(2))]
    await journal.close()
    await Promise.all(appended)
    await expect(journal.append(aRecord(3))).rejects.toMatchObject({ code: 'Internal' })
    expect(eventIds(path)).toEqual(['1', '2'])
  })
})

describe('a journal file', () => {
  it('is private, and is continued at its end', async () => {
    const path = join(directory, 'continued')
    for (const number of [1, 2, 3]) {
      const journal = await openAt(path)
      await journal.append(aRecord(number))
      await journal.close()
    }
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(eventIds(path)).toEqual(['1', '2', '3'])
  })

  it('holds every record whose append was reported, whenever the process is killed', async () => {
    const path = join(directory, 'killed')
    let next = 0
    for (let round = 0; round < 6; round++) {
      const script = join(import.meta.dirname, 'append-until-killed.ts')
      const child = spawn(process.execPath, [script, path, `${next}`], { stdio: ['ignore', 'pipe', 'inherit'] })
      const ended = once(child, 'close')
      const killAfter = 1 + Math.floor(Math.random() * 500)
      const reported: string[] = []
      for await (const line of createInterface(child.stdout)) {
        if (reported.push(line) === killAfter) child.kill('SIGKILL')
      }
      await ended
      await (await openAt(path)).close()
      const written = await eventsIn(path)
      expect(written).toEqual([...written.keys()].map(String))
      expect(new Set(written)).toEqual(new Set([...written, ...reported]))
      next = written.length
    }
  }, 30_000)

  it('loses nothing but an incomplete block at its end after a crash, wherever that was cut', async () => {
    const path = join(directory, 'torn')
    const journal = await openAt(path)
    await journal.append(aRecord(1))
    await journal.close()
    const whole = readFileSync(path)
    const { bytes } = blockOf(`${lineOf(2, 200_000)}${lineOf(3)}`, 2, journal.head)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length }), fc.string({ unit: 'binary' }), async (cut, junk) => {
        writeFileSync(path, Buffer.concat([whole, bytes.subarray(0, cut), Buffer.from(cut < bytes.length ? junk : '')]))
        const journal = await openAt(path)
        await journal.append(aRecord(4))
        await journal.close()
        expect(eventIds(path)).toEqual(cut < bytes.length ? ['1', '4'] : ['1', '2', '3', '4'])
      }),
      {
        numRuns: 30,
        examples: [
          [0, ''],
          [1, ''],
          [bytes.length - 1, ''],
          [bytes.length, ''],
        ],
      },
    )
  })

  it('begins again when not even its first block was written', async () => {
    const path = join(directory, 'begun')
    await (await openAt(path)).close()
    const whole = readFileSync(path)
    for (const length of [0, 1, 10, whole.indexOf(0x0a), whole.indexOf(0x0a) + 1, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length))
      const journal = await openAt(path)
      await journal.append(aRecord(1))
      await journal.close()
      expect(eventIds(path)).toEqual(['1'])
      expect(journal.head.block).toBe(2)
    }
  })

  it('is a chain of blocks, each with the hash of the one before', async () => {
    const path = join(directory, 'chain')
    for (const burst of [[1], [2, 3], [4]]) {
      const journal = await openAt(path)
      await Promise.all(burst.map(number => journal.append(aRecord(number))))
      await journal.close()
    }
    let [start, previous] = [0, noHash]
    const bytes = readFileSync(path)
    const records: number[] = []
    while (start < bytes.length) {
      const mark = bytes.indexOf(trailerMark, start) + 1
      const end = bytes.indexOf(0x0a, mark) + 1
      const trailer = trailerOf(bytes.toString('utf8', mark, end - 1))!
      expect(trailer).toMatchObject({ number: records.length + 1, previous, hash: hashOf(bytes.subarray(start, end)) })
      records.push(trailer.record)
      previous = trailer.hash
      start = end
    }
    expect(records).toEqual([0, 1, 3, 4])
  })

  it('tells its followers of each block that is durable, and of no other', async () => {
    const file = new Disk()
    const journal = journalOn(file)
    const followed: unknown[] = []
    journal.follow(({ head, lines, offset, length }) => {
      followed.push(lines)
      expect(hashOf(file.content.subarray(offset, offset + length))).toBe(head.hash)
      expect(journal.head).toBe(head)
    })
    await Promise.all([1, 2].map(number => journal.append(aRecord(number))))
    file.fault = 'lost'
    await expect(journal.append(aRecord(3))).rejects.toThrow()
    file.fault = 'none'
    await journal.check()
    await journal.append(aRecord(4))
    expect(followed).toEqual([[aRecord(1), aRecord(2)], [aRecord(4)]])
  })

  it('is refused and left unchanged if it is not a journal', async () => {
    const path = join(directory, 'foreign')
    writeFileSync(path, 'accounts:\n  - none')
    await expect(openAt(path)).rejects.toThrow(
      new OperatorError(`${path} is not an audit journal: set audit.file to another path`),
    )
    expect(readFileSync(path, 'utf8')).toBe('accounts:\n  - none')
  })

  it('is refused in one line where it cannot be created', async () => {
    const missing = join(directory, 'missing', 'journal')
    await expect(openAt(missing)).rejects.toThrow(
      new OperatorError(`audit journal ${missing} cannot be opened: no such file or directory`),
    )
    const link = join(directory, 'link')
    symlinkSync(join(directory, 'elsewhere'), link)
    for (const path of [directory, link])
      await expect(openAt(path)).rejects.toThrow(
        new OperatorError(`audit journal ${path} is not a regular file: set audit.file to another path`),
      )
  })
})

type Fault = 'none' | 'write' | 'half' | 'short' | 'lost' | 'lost and truncate' | 'half and truncate'
/**
 * `lost` writes everything and fails to make it durable; `half` writes some bytes and fails at the rest; `short` writes a few bytes at a
 * time.
 */
const fault = fc.constantFrom<Fault[]>(
  'none',
  'write',
  'half',
  'short',
  'lost',
  'lost and truncate',
  'half and truncate',
)

/** A file in memory that fails on command. */
class Disk implements SegmentFile {
  content: Buffer = Buffer.alloc(0)
  fault: Fault = 'none'
  writes = 0
  /** Resolves when a held write has started. */
  writing: Promise<void> = Promise.resolve()
  #held: { begun(): void; released: Promise<void> } | undefined

  holdWrite(): () => void {
    const begun = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    this.writing = begun.promise
    this.#held = { begun: begun.resolve, released: released.promise }
    return () => {
      this.#held = undefined
      released.resolve()
    }
  }

  async write(bytes: Uint8Array, offset: number): Promise<{ bytesWritten: number }> {
    this.writes++
    const half = this.fault.startsWith('half')
    if (this.fault === 'write' || (half && offset > 0)) throw diskError('ENOSPC')
    const length = this.fault === 'short' ? 7 : half ? Math.ceil(bytes.length / 2) : bytes.length
    const written = bytes.subarray(offset, offset + length)
    this.content = Buffer.concat([this.content, written])
    this.#held?.begun()
    await this.#held?.released
    if (this.fault.startsWith('lost')) throw diskError('EIO')
    return { bytesWritten: written.length }
  }

  async repair({ size }: DurableEnd): Promise<Condition> {
    if (this.fault.endsWith('truncate')) throw diskError('EIO')
    this.content = this.content.subarray(0, size)
    return 'whole'
  }

  async size(): Promise<number> {
    return this.content.length
  }

  writtenSize(): number {
    return this.content.length
  }

  async succeed(): Promise<SegmentFile> {
    throw new Error('no other segment')
  }

  async close(): Promise<void> {}

  records(): AuditRecord[] {
    return parse(this.content.toString())
  }
}

function journalOn(file: SegmentFile): FileJournal {
  return new FileJournal(file, { size: 0, head: noBlock, begun: 0 }, journalOptions)
}

function diskError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function parse(text: string): AuditRecord[] {
  const lines = text.split('\n')
  expect(lines.pop()).toBe('')
  return lines.filter(isRecordLine).map(line => JSON.parse(line) as AuditRecord)
}

function eventIds(path: string): string[] {
  return parse(readFileSync(path, 'utf8')).map(record => record.eventID)
}

function lineOf(number: number, length = 0): string {
  return `${JSON.stringify(aRecord(number, { userAgent: 'u'.repeat(length) }))}\n`
}
