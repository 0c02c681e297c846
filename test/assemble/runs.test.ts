import { afterEach, beforeEach, expect, it } from 'vitest'
import { recordRun } from '../../src/assemble/runs.ts'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { parseConfig } from '../../src/config.ts'
import { Failure, OperatorError } from '../../src/errors.ts'
import { Outbox } from '../../src/outbox.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { version } from '../../src/version.ts'
import { journalInto } from '../audit/records.ts'
import { openHere } from '../storage/open.ts'

let storage: Storage
let outbox: Outbox
let records: AuditRecord[]
let complaints: unknown[]
const journal = () => journalInto(records)

beforeEach(async () => {
  records = []
  complaints = []
  storage = await openHere(sqlite(':memory:', { create: true }))
  outbox = await Outbox.open(storage, journal(), { gateway: 'gateway' })
})
afterEach(() => storage.close())

const configured = (level: string) => `
gateway: gateway-1
storage: { file: strongroom.db }
audit: { file: audit.jsonl }
log: { level: ${level} }
hsms: { softhsm: { profile: softhsm2, library: library.so, token: { label: strongroom }, pinFile: pin } }
`

const start = (level = 'info') =>
  recordRun(parseConfig(configured(level), '/data/strongroom.yaml'), {
    journal: journal(),
    storage,
    outbox,
    audit: createAudit(journal(), () => 0, 'test'),
    log: { error: fields => void complaints.push(fields), warn() {}, info() {} },
  })

const events = () => records.map(({ eventName, serviceEventDetails }) => ({ eventName, ...serviceEventDetails }))

it('is recorded when it starts, and when it stops, with why', async () => {
  const run = await start()
  run.why = 'SIGTERM'
  await run[Symbol.asyncDispose]()
  const again = await start()
  await again[Symbol.asyncDispose]()
  expect(events()).toEqual([
    { eventName: 'StartGateway', version, gateway: 'gateway-1' },
    { eventName: 'StopGateway', reason: 'SIGTERM' },
    { eventName: 'StartGateway', version, gateway: 'gateway-1' },
    { eventName: 'StopGateway', reason: 'start failed' },
  ])
  for (const record of records) {
    expect(record).toMatchObject({ eventSource: 'strongroom', eventType: 'AwsServiceEvent', readOnly: true })
    expect(record.recipientAccountId).toBeUndefined()
  }
})

it('says that the one before recorded no stop, and what was changed of its configuration', async () => {
  await start()
  await start('debug')
  expect(events().slice(1)).toEqual([
    { eventName: 'ChangeConfiguration', changes: [{ setting: 'log.level', from: 'info', to: 'debug' }] },
    { eventName: 'StartGateway', version, gateway: 'gateway-1', lastStop: 'not recorded' },
  ])
})

it('does not begin if its start cannot be recorded, and its changes are recorded by the next one', async () => {
  await start()
  const { record } = outbox
  outbox.record = async () => {
    throw new Failure('Internal', '', { cause: new Error('ENOSPC: no space left on device, write') })
  }
  await expect(start('debug')).rejects.toThrow(
    new OperatorError('the start cannot be recorded in /data/audit.jsonl: ENOSPC: no space left on device, write'),
  )
  outbox.record = record
  await start('debug')
  expect(events().map(({ eventName }) => eventName)).toEqual(['StartGateway', 'ChangeConfiguration', 'StartGateway'])
})

it('ends also if its stop cannot be recorded, and the next start says so', async () => {
  const run = await start()
  const { record } = outbox
  outbox.record = async () => Promise.reject(new Failure('Internal'))
  await run[Symbol.asyncDispose]()
  outbox.record = record
  expect(complaints).toMatchObject([{ event: 'audit_write_failed' }])
  await start()
  expect(events().at(-1)).toMatchObject({ lastStop: 'not recorded' })
})
