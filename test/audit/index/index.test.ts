import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AuditRecord } from '../../../src/audit/entry.ts'
import { eventId } from '../../../src/audit/event-id.ts'
import type { FileJournal } from '../../../src/audit/file-journal.ts'
import { blockOf } from '../../../src/audit/format.ts'
import { hasAttribute } from '../../../src/audit/index/attributes.ts'
import { type CaughtUp, IndexFile } from '../../../src/audit/index/index-file.ts'
import { JournalIndex } from '../../../src/audit/index/journal-index.ts'
import type { Search } from '../../../src/audit/index/search.ts'
import { segmentFile } from '../../../src/audit/segments.ts'
import { aRecord, openAt } from '../records.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'index-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

let installations = 0

/** A journal with its index, in a folder of their own. */
class Installation {
  readonly file = join(mkdtempSync(join(folder, `${++installations}-`)), 'audit.jsonl')
  readonly indexPath = join(dirname(this.file), 'audit-index.db')
  readonly caughtUp: CaughtUp[] = []
  readonly failures: unknown[] = []
  readonly records: AuditRecord[] = []
  journal!: FileJournal
  index!: JournalIndex

  static async open(): Promise<Installation> {
    const installation = new Installation()
    await installation.start()
    return installation
  }

  async start(): Promise<void> {
    this.journal = await openAt(this.file)
    const meteredSources = ['kms.amazonaws.com']
    this.index = new JournalIndex({
      journal: this.journal,
      open: () => new IndexFile({ path: this.indexPath, active: this.file, meteredSources }),
      meteredSources,
      report: {
        caughtUp: result => this.caughtUp.push(result),
        failed: error => this.failures.push(error),
      },
    })
  }

  async stop(): Promise<void> {
    await this.index.close()
    await this.journal.close()
  }

  /** @param whileStopped what happens to the files meanwhile */
  async restart(whileStopped = () => {}): Promise<void> {
    await this.stop()
    whileStopped()
    await this.start()
  }

  async append(...records: readonly AuditRecord[]): Promise<void> {
    await Promise.all(records.map(record => this.journal.append(record)))
    this.records.push(...records)
  }

  /** All pages. */
  async find(search: Search, limit = 50): Promise<AuditRecord[]> {
    const before = await this.index.snapshot()
    const found: AuditRecord[] = []
    for (let after: { time: number; id: string } | undefined; ; ) {
      const page = await this.index.find(search, { limit, before, after })
      found.push(...page!.map(({ record }) => record))
      const last = page!.at(-1)
      if (last === undefined || page!.length < limit) return found
      after = { time: last.time, id: last.record.eventID }
    }
  }
}

/** Makes the active segment a full one, as the journal does. */
async function rotate(installation: Installation): Promise<void> {
  const { head } = installation.journal
  await installation.restart(() => {
    renameSync(installation.file, segmentFile(installation.file, head.segment))
    const [number, time] = [head.segment + 1, new Date(0).toISOString()]
    const header = { segment: { version: 1, journal: head.journal, number, time } }
    writeFileSync(installation.file, blockOf(`${JSON.stringify(header)}\n`, 0, { ...head, segment: number }).bytes)
  })
}

const [home, other] = ['111122223333', '444455556666']
const start = Date.parse('2026-01-02T03:04:05Z')

const keyArn = (number: number) => `arn:aws:kms:eu-west-1:${home}:key/00000000-0000-4000-8000-00000000000${number}`

/** What a record is made of: few values, so that searches find some. */
const content = fc.record({
  seconds: fc.integer({ min: 0, max: 8 }),
  millisecond: fc.integer({ min: 0, max: 999 }),
  account: fc.constantFrom(home, home, other, undefined),
  region: fc.constantFrom('eu-west-1', 'eu-west-1', 'eu-central-1'),
  eventName: fc.constantFrom('Encrypt', 'Decrypt', 'CreateKey', undefined),
  readOnly: fc.constantFrom(true, false),
  user: fc.constantFrom('alice', 'bob "the \\ builder"', 'Zoë'),
  key: fc.integer({ min: 0, max: 2 }),
  errorCode: fc.constantFrom(undefined, undefined, 'AccessDenied'),
})

type Content = typeof content extends fc.Arbitrary<infer C> ? C : never

function recordOf({ seconds, millisecond, account, region, user, key, ...rest }: Content): AuditRecord {
  const time = start + seconds * 1000 + millisecond
  return aRecord(0, {
    ...rest,
    eventID: eventId(time),
    eventTime: `${new Date(time).toISOString().slice(0, 19)}Z`,
    awsRegion: region,
    recipientAccountId: account,
    userIdentity: {
      type: 'IAMUser',
      userName: user,
      arn: `arn:aws:iam::${account}:user/${user}`,
      accessKeyId: `AKIA${user.length}`,
    },
    resources: key === 0 ? undefined : [{ ARN: keyArn(key), accountId: home, type: 'AWS::KMS::Key' }],
  })
}

const attribute = fc.oneof(
  fc.constantFrom(
    ...([
      { key: 'EventName', value: 'Encrypt' },
      { key: 'EventName', value: 'CreateKey' },
      { key: 'ReadOnly', value: 'false' },
      { key: 'Username', value: 'bob "the \\ builder"' },
      { key: 'Username', value: 'Zoë' },
      { key: 'AccessKeyId', value: 'AKIA5' },
      { key: 'ResourceType', value: 'AWS::KMS::Key' },
      { key: 'ResourceName', value: keyArn(1) },
      { key: 'EventSource', value: 'kms.amazonaws.com' },
      { key: 'EventSource', value: 'sts.amazonaws.com' },
    ] as const),
  ),
)

const time = fc.integer({ min: -1, max: 9 }).map(seconds => start + seconds * 1000)
const search = fc.record({
  attribute: fc.option(attribute, { nil: undefined }),
  scope: fc.constantFrom(
    { account: home, region: 'eu-west-1' },
    { account: home, region: 'eu-central-1' },
    { account: other, region: 'eu-west-1' },
  ),
  from: fc.option(time, { nil: undefined }),
  to: fc.option(time, { nil: undefined }),
})

/** The same by looking at every record. */
function naively(
  records: readonly AuditRecord[],
  { attribute, scope, from = -Infinity, to = Infinity }: Search,
): AuditRecord[] {
  const timeOf = ({ eventTime }: AuditRecord) => Date.parse(eventTime)
  return records
    .filter(record => timeOf(record) >= from && timeOf(record) <= to)
    .filter(record => record.recipientAccountId === scope.account && record.awsRegion === scope.region)
    .filter(record => !attribute || hasAttribute(record, attribute.key, attribute.value))
    .sort((one, other) => timeOf(other) - timeOf(one) || (one.eventID < other.eventID ? 1 : -1))
}

const idsOf = (records: readonly AuditRecord[]) => records.map(({ eventID }) => eventID)

type Step =
  | { readonly kind: 'append'; readonly contents: readonly Content[] }
  | { readonly kind: 'endChunk' | 'restart' | 'rotate' | 'delete' | 'damage' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      contents: fc.array(content, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'endChunk' } as const) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...(['restart', 'rotate', 'delete', 'damage'] as const)).map(kind => ({ kind })),
  },
)

async function take(installation: Installation, step: Step): Promise<void> {
  const { indexPath } = installation
  switch (step.kind) {
    case 'append':
      return installation.append(...step.contents.map(recordOf))
    case 'endChunk':
      await installation.index.flush()
      return
    case 'restart':
      return installation.restart()
    case 'rotate':
      return rotate(installation)
    case 'delete':
      return installation.restart(() => rmSync(indexPath, { force: true }))
    case 'damage':
      return installation.restart(() => {
        if (existsSync(indexPath)) writeFileSync(indexPath, readFileSync(indexPath).fill(0xa5, 100, 3000))
      })
  }
}

describe('the index', () => {
  it('finds what a look at every record finds, in its order and in pages, whatever became of the file', async () => {
    const searches = fc.array(search, { minLength: 4, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 10 }),
        searches,
        fc.integer({ min: 1, max: 5 }),
        async (steps, searches, limit) => {
          const installation = await Installation.open()
          for (const step of steps) await take(installation, step)
          for (const search of searches) {
            const found = await installation.find(search, limit)
            expect(idsOf(found)).toEqual(idsOf(naively(installation.records, search)))
          }
          expect(installation.failures).toEqual([])
          await installation.stop()
        },
      ),
      { numRuns: 12 },
    )
  })

  it('opens no file before it is needed', async () => {
    const installation = await Installation.open()
    await installation.append(recordOf(sample))
    await installation.stop()
    expect(existsSync(installation.indexPath)).toBe(false)
  })

  it.each<readonly [string, string, (installation: Installation) => void]>([
    ['it is damaged', 'no database', ({ indexPath }) => writeFileSync(indexPath, 'no database')],
    ['it is another database', 'the database of another program', ({ indexPath }) => createDatabase(indexPath)],
    ['it is of another version', 'another version', ({ indexPath }) => change(indexPath, { version: 0 })],
    ['it is of another journal', 'that of another journal', ({ indexPath }) => change(indexPath, { journal: 'other' })],
    [
      'it has records that the journal does not have',
      'a later one',
      ({ indexPath }) => change(indexPath, { offset: 1e9 }),
    ],
    [
      'it has records that the journal does not have',
      'one of other blocks',
      ({ indexPath }) => change(indexPath, { hash: '0'.repeat(64) }),
    ],
  ])('sets the file aside and builds it again if %s: %s', async (reason, _, replace) => {
    const installation = await Installation.open()
    await installation.append(recordOf(sample))
    await installation.index.flush()
    await installation.restart(() => replace(installation))
    await installation.index.flush()
    expect(installation.caughtUp.map(({ setAside }) => setAside)).toEqual([undefined, reason])
    expect(existsSync(`${installation.indexPath}.old`)).toBe(true)
    expect(await installation.find({ scope })).toHaveLength(1)
    await installation.stop()
  })

  it('is built again while the journal goes on, if its file is deleted', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const installation = await Installation.open()
      await installation.append(recordOf(sample))
      await installation.index.flush()
      rmSync(installation.indexPath)
      await installation.append(recordOf(sample))
      await expect(installation.index.flush()).rejects.toThrow()
      expect(installation.failures).toHaveLength(1)
      await installation.append(recordOf(sample))
      vi.advanceTimersByTime(10_000)
      await installation.index.flush()
      expect(existsSync(installation.indexPath)).toBe(true)
      expect(await installation.find({ attribute: { key: 'EventName', value: 'Encrypt' }, scope })).toHaveLength(3)
      await installation.stop()
    } finally {
      vi.useRealTimers()
    }
  })

  it('has the events of a former journal without blocks, by their IDs, too', async () => {
    const eventID = '919108f7-52d1-4320-9bac-f847db4148a8'
    const former = { ...recordOf(sample), eventID, eventTime: '2025-01-02T03:04:05.678Z' }
    const installation = await Installation.open()
    await installation.append(recordOf(sample))
    writeFileSync(
      segmentFile(installation.file, 0),
      `${JSON.stringify(former)}\n${JSON.stringify(former).slice(0, 40)}`,
    )
    await installation.index.flush()
    expect(await installation.find({ attribute: { key: 'EventId', value: eventID }, scope })).toEqual([former])
    expect(idsOf(await installation.find({ scope })).at(-1)).toBe(eventID)
    await installation.stop()
  })

  it('has the events around damaged lines and unreadable segments', async () => {
    const installation = await Installation.open()
    const damaged = [
      { ...recordOf(sample), eventTime: 'yesterday' },
      { ...recordOf(sample), eventTime: '2026-13-02T03:04:05Z' },
      { ...recordOf(sample), resources: 7 },
      ...['eventName', 'eventSource', 'awsRegion', 'recipientAccountId', 'errorCode', 'userIdentity'].flatMap(member =>
        [7, {}, [{}], null]
          .filter(value => member !== 'userIdentity' || value === null)
          .map(value => ({ ...recordOf(sample), [member]: value })),
      ),
      { ...recordOf(sample), userIdentity: { type: 'AssumedRole', arn: 7 } },
      { ...recordOf(sample), userIdentity: { userName: {} } },
      { ...recordOf(sample), resources: [{ ARN: 'arn', type: {} }] },
      { ...recordOf(sample), eventID: null },
      { eventVersion: '1.11' },
    ] as unknown as AuditRecord[]
    await installation.append(...damaged, recordOf(sample))
    expect(installation.failures).toHaveLength(1)
    await rotate(installation)
    await installation.append(recordOf(sample))
    await rotate(installation)
    await installation.append(recordOf(sample))
    await installation.restart(() => {
      rmSync(segmentFile(installation.file, 2))
      mkdirSync(segmentFile(installation.file, 2))
    })
    await installation.index.flush()
    expect(installation.caughtUp.at(-1)!.unreadable).toEqual([
      { segment: 2, reason: expect.stringContaining('EISDIR') },
    ])
    expect(await installation.find({ attribute: { key: 'EventName', value: 'Encrypt' }, scope })).toHaveLength(2)
    await installation.stop()
  })
})

const scope = { account: home, region: 'eu-west-1' }

const sample: Content = {
  seconds: 1,
  millisecond: 1,
  account: home,
  region: 'eu-west-1',
  eventName: 'Encrypt',
  readOnly: true,
  user: 'alice',
  key: 1,
  errorCode: undefined,
}

function createDatabase(path: string): void {
  rmSync(path)
  const database = new DatabaseSync(path)
  database.exec('create table notes (text)')
  database.close()
}

/** Changes its cursor. */
function change(path: string, values: Readonly<Record<string, string | number>>): void {
  const database = new DatabaseSync(path)
  for (const [column, value] of Object.entries(values))
    database.prepare(`update index_cursor set ${column} = ?`).run(value)
  database.close()
}
