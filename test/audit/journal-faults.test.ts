import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { JournalObserver } from '../../src/audit/file-journal.ts'
import { blocksOf } from '../../src/audit/read.ts'
import { segmentFile, segmentsOf } from '../../src/audit/segments.ts'
import { canMount, onSmallDisk } from '../storage/small-disk.ts'
import { eventsIn } from './chained-events.ts'
import { canUseExt4, Ext4Disk } from './ext4-disk.ts'
import { aRecord, openAt, quickFolder, quiet } from './records.ts'

/** Files that other processes change or remove, and disks that fail, under a journal that is written. */

let directory: string
let path: string
beforeAll(() => {
  directory = mkdtempSync(join(quickFolder, 'journal-faults-'))
})
beforeEach(() => {
  path = join(mkdtempSync(join(directory, 'folder-')), 'audit.jsonl')
})
afterAll(() => rmSync(directory, { recursive: true }))

const refused = { code: 'Internal', message: '' }

/** Notes what a journal reports. */
function notes(): { noted: string[]; observer: JournalObserver } {
  const noted: string[] = []
  const observer = {
    ...quiet,
    failed: () => void noted.push('failed'),
    recovered: () => void noted.push('recovered'),
    lost: ({ segment, condition }: { segment: number; condition: string }) =>
      void noted.push(`${condition} ${segment}`),
    rotated: () => void noted.push('rotated'),
    rotationFailed: () => void noted.push('rotation failed'),
  }
  return { noted, observer }
}

const away = (path: string) => renameSync(path, `${path}.away`)
const back = (path: string) => renameSync(`${path}.away`, path)
const replaceBy = (other: (path: string) => void) => (path: string) => {
  away(path)
  other(path)
}

describe('a file that is not in its place', () => {
  const harms: [string, (path: string) => void, (path: string) => void][] = [
    ['moved away', away, back],
    ['in a folder that was moved', path => away(dirname(path)), path => back(dirname(path))],
    [
      'in a folder that was moved, and created again',
      path => {
        away(dirname(path))
        mkdirSync(dirname(path))
      },
      path => {
        rmSync(dirname(path), { recursive: true })
        back(dirname(path))
      },
    ],
    ['replaced by another', replaceBy(path => writeFileSync(path, 'a note')), back],
    ['replaced by an empty one', replaceBy(path => writeFileSync(path, '')), back],
    [
      'replaced by a folder',
      replaceBy(path => mkdirSync(path)),
      path => {
        rmSync(path, { recursive: true })
        back(path)
      },
    ],
    ['replaced by an older copy', replaceBy(path => copyFileSync(`${path}.older`, path)), back],
    ['behind a link that leads elsewhere', replaceBy(path => symlinkSync('/etc/hostname', path)), back],
  ]

  it.each(harms)('rejects lines while it is %s, and takes them when it is back', async (_, harm, undo) => {
    const { noted, observer } = notes()
    const journal = await openAt(path, { observer })
    copyFileSync(path, `${path}.older`)
    await journal.append(aRecord(1))
    harm(path)
    await expect(journal.append(aRecord(2))).rejects.toMatchObject(refused)
    expect(journal.failing).toBe(true)
    await expect(journal.check()).rejects.toMatchObject(refused)
    await expect(journal.append(aRecord(3))).rejects.toMatchObject(refused)
    undo(path)
    await journal.check()
    expect(journal.failing).toBe(false)
    await journal.append(aRecord(4))
    await journal.close()
    expect(await eventsIn(path)).toEqual(['1', '4'])
    expect(noted).toEqual(['failed', 'recovered'])
  })

  it.each(harms)('is noticed by a check alone while it is %s', async (_, harm, undo) => {
    const journal = await openAt(path)
    copyFileSync(path, `${path}.older`)
    await journal.append(aRecord(1))
    harm(path)
    await expect(journal.check()).rejects.toMatchObject(refused)
    undo(path)
    await journal.append(aRecord(2))
    await journal.close()
    expect(await eventsIn(path)).toEqual(['1', '2'])
  })
})

describe('a file that was removed', () => {
  it.each([
    ['removed', (path: string) => rmSync(path)],
    [
      'replaced by a copy',
      (path: string) => {
        copyFileSync(path, `${path}.copy`)
        chmodSync(`${path}.copy`, 0o644)
        renameSync(`${path}.copy`, path)
      },
    ],
  ])('by being %s loses nothing, and the journal goes on', async (_, harm) => {
    const { noted, observer } = notes()
    const journal = await openAt(path, { observer })
    const records = Array.from({ length: 100 }, (_, number) => aRecord(number, { userAgent: 'u'.repeat(30_000) }))
    await Promise.all(records.map(record => journal.append(record)))
    for (const round of [1, 2]) {
      harm(path)
      await expect(journal.append(aRecord(0))).rejects.toMatchObject(refused)
      await journal.append(aRecord(1000 + round))
    }
    await journal.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const events = records.map(({ eventID }) => eventID)
    expect(await eventsIn(path)).toEqual([...events, '1001', '1002'])
    expect(noted.filter(note => note.startsWith('removed'))).toEqual(
      existsSync(segmentFile(path, 1)) ? ['removed 1', 'removed 2'] : [],
    )
  })

  it('is restored when what had replaced it is gone', async () => {
    const journal = await openAt(path)
    await journal.append(aRecord(1))
    writeFileSync(`${path}.new`, 'a note')
    renameSync(`${path}.new`, path)
    for (const number of [2, 3]) await expect(journal.append(aRecord(number))).rejects.toMatchObject(refused)
    expect(readFileSync(path, 'utf8')).toBe('a note')
    away(path)
    await journal.append(aRecord(4))
    await journal.close()
    expect(await eventsIn(path)).toEqual(['1', '4'])
  })

  it('is saved under its number when the journal is closed meanwhile', async () => {
    const journal = await openAt(path)
    copyFileSync(path, `${path}.older`)
    await journal.append(aRecord(1))
    renameSync(`${path}.older`, path)
    await expect(journal.append(aRecord(2))).rejects.toMatchObject(refused)
    await journal.close()
    await expect(openAt(path)).rejects.toThrow(
      `audit journal ${path} is segment 1, but there is ${segmentFile(path, 1)}: move away the one that is not the last`,
    )
    away(path)
    const next = await openAt(path)
    await next.append(aRecord(3))
    await next.close()
    expect(await eventsIn(path)).toEqual(['1', '3'])
  })
})

describe('a file that another process has changed', () => {
  const overwrite = (path: string, text: string) => {
    const bytes = readFileSync(path)
    writeFileSync(path, Buffer.concat([bytes.subarray(0, -30), Buffer.from(text)]))
  }
  const harms: [string, (path: string) => void][] = [
    ['truncated', path => truncateSync(path, 10)],
    ['emptied', path => truncateSync(path, 0)],
    ['truncated by a byte', path => truncateSync(path, statSync(path).size - 1)],
    ['appended to', path => appendFileSync(path, 'a note')],
    ['appended to, by what seems to be a line', path => appendFileSync(path, '{"eventVersion":"1.11"}\n')],
    ['extended with zeros', path => truncateSync(path, statSync(path).size + 4096)],
    ['overwritten beyond its end', path => overwrite(path, 'overwritten'.repeat(10))],
  ]

  it.each(harms)('by being %s is kept as it is, and the journal goes on in the next', async (_, harm) => {
    const { noted, observer } = notes()
    const journal = await openAt(path, { observer })
    await journal.append(aRecord(1))
    const before = journal.head
    harm(path)
    const harmed = readFileSync(path)
    await expect(journal.append(aRecord(2))).rejects.toMatchObject(refused)
    await journal.append(aRecord(3))
    expect(noted).toEqual(['failed', 'rotated', 'damaged 1', 'recovered'])
    expect(readFileSync(segmentFile(path, 1))).toEqual(harmed)
    await journal.close()
    const blocks = []
    for await (const block of blocksOf(path)) blocks.push({ ...block.trailer, text: block.bytes.toString() })
    expect(blocks).toMatchObject([
      { number: before.block + 1, previous: before.hash, record: 1 },
      { number: before.block + 2, record: 2, text: expect.stringContaining('"eventID":"3"') },
    ])
  })
})

describe('a segment', () => {
  it('that is full gets its number, and the chain goes on in the next', async () => {
    const { noted, observer } = notes()
    const journal = await openAt(path, { observer, maxSize: 4000 })
    const followed: number[] = []
    journal.follow(({ head, offset, length, lines }) => {
      followed.push(head.block)
      if (lines.length === 0)
        expect({ offset, position: journal.position }).toEqual({
          offset: 0,
          position: `${head.journal}:${head.segment}:${length}`,
        })
    })
    for (let number = 0; number < 30; number++) await journal.append(aRecord(number, { userAgent: 'u'.repeat(300) }))
    const { segment, block } = journal.head
    await journal.close()
    expect(await eventsIn(path)).toEqual(Array.from({ length: 30 }, (_, number) => `${number}`))
    expect(segment).toBeGreaterThan(3)
    expect(noted).toEqual(Array(segment - 1).fill('rotated'))
    expect(followed).toEqual(Array.from({ length: block - 1 }, (_, index) => index + 2))
    for (const { file, number } of await segmentsOf(path)) {
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(statSync(file).size).toBeLessThan(5500)
      if (number !== undefined) expect(statSync(file).size).toBeGreaterThanOrEqual(4000)
    }
  })

  it('ends at its age with the next record, also across restarts', async () => {
    let now = 1_000_000
    const options = { clock: () => now, maxAge: 1000 }
    for (const [time, segment] of [
      [0, 1],
      [999, 1],
      [1000, 2],
      [1999, 2],
      [10_000, 3],
      [9001, 3],
      [5000, 4],
    ] as const) {
      now = 1_000_000 + time
      const journal = await openAt(path, options)
      await journal.append(aRecord(time))
      expect(journal.head.segment).toBe(segment)
      await journal.close()
    }
    expect(await eventsIn(path)).toEqual(['0', '999', '1000', '1999', '10000', '9001', '5000'])
  })

  it('whose number is taken is written on, and gets it later', async () => {
    const { noted, observer } = notes()
    let now = 0
    const journal = await openAt(path, { observer, maxSize: 100, clock: () => now })
    const taken = segmentFile(path, 1)
    writeFileSync(taken, 'a note')
    for (const number of [1, 2]) await journal.append(aRecord(number))
    expect(journal.head.segment).toBe(1)
    expect(readFileSync(taken, 'utf8')).toBe('a note')
    unlinkSync(taken)
    now = 3_600_000
    await journal.append(aRecord(3))
    expect(journal.head.segment).toBe(2)
    await journal.close()
    expect(noted).toEqual(['rotation failed', 'rotated'])
    expect(await eventsIn(path)).toEqual(['1', '2', '3'])
  })

  it('that the gateway itself has moved by an interrupted rotation is continued', async () => {
    const { noted, observer } = notes()
    const journal = await openAt(path, { observer })
    await journal.append(aRecord(1))
    renameSync(path, segmentFile(path, 1))
    await expect(journal.append(aRecord(2))).rejects.toMatchObject(refused)
    await journal.append(aRecord(3))
    await journal.close()
    expect(noted).toEqual(['failed', 'rotated', 'recovered'])
    expect(await eventsIn(path)).toEqual(['1', '3'])
  })
})

describe('a disk', () => {
  it.runIf(canMount)('that is full loses nothing, and the journal resumes once there is space', async () => {
    await onSmallDisk('256k', async disk => {
      const path = join(disk, 'journal')
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(65_536))
      const journal = await openAt(path, { maxSize: 50_000 })
      const accepted: string[] = []
      while (!journal.failing) {
        const record = aRecord(accepted.length, { userAgent: 'u'.repeat(3000) })
        await journal.append(record).then(
          () => accepted.push(record.eventID),
          error => expect(error).toMatchObject({ ...refused, cause: { code: 'ENOSPC' } }),
        )
      }
      expect(await eventsIn(path)).toEqual(accepted)
      rmSync(join(disk, 'ballast'))
      await journal.append(aRecord(9999))
      expect(journal.failing).toBe(false)
      await journal.close()
      expect(await eventsIn(path)).toEqual([...accepted, '9999'])
    })
  })

  it.runIf(canUseExt4)(
    'that stalls has calls refused within the limit, later ones at once, and none of them on record',
    async () => {
      using disk = new Ext4Disk()
      const path = join(disk.folder, 'audit.jsonl')
      const { noted, observer } = notes()
      const journal = await openAt(path, { observer, writeTimeout: 200 })
      await journal.append(aRecord(1))
      disk.freeze()
      const outcomes = await Promise.allSettled([2, 3].map(number => journal.append(aRecord(number))))
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { ...refused, cause: { message: 'the disk did not answer within 0.2 s' } },
        })
      expect(journal.failing).toBe(true)
      for (const number of [4, 5]) await expect(journal.append(aRecord(number))).rejects.toMatchObject(refused)
      await expect(journal.check()).rejects.toMatchObject(refused)
      expect(await eventsIn(path)).toEqual(['1'])
      disk.thaw()
      await expect.poll(() => journal.failing).toBe(false)
      await journal.append(aRecord(6))
      await journal.close()
      expect(await eventsIn(path)).toEqual(['1', '6'])
      expect(noted).toEqual(['failed', 'recovered'])
    },
  )

  it.runIf(canUseExt4)('that stalls does not keep the journal from closing', async () => {
    using disk = new Ext4Disk()
    const journal = await openAt(join(disk.folder, 'audit.jsonl'), { writeTimeout: 200 })
    disk.freeze()
    const appended = journal.append(aRecord(1))
    await journal.close()
    await expect(appended).rejects.toMatchObject(refused)
    disk.thaw()
  })

  it.runIf(canUseExt4)('that becomes read-only loses nothing, and the journal resumes on its copy', async () => {
    using disk = new Ext4Disk()
    const path = join(disk.folder, 'audit.jsonl')
    const journal = await openAt(path)
    await journal.append(aRecord(1))
    disk.fail()
    const failure = await journal.append(aRecord(2)).catch((error: unknown) => error)
    expect(failure).toMatchObject({ ...refused, cause: { code: expect.stringMatching(/^(EROFS|EIO)$/) } })
    await expect(journal.check()).rejects.toMatchObject(refused)
    disk.replace()
    await journal.append(aRecord(3))
    await journal.close()
    expect(await eventsIn(path)).toEqual(['1', '3'])
  })
})
