import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Api, ApiRequest, ApiResponse } from '../src/apis/api.ts'
import { apis } from '../src/apis/catalogue.ts'
import { createAudit } from '../src/audit/audit.ts'
import type { AuditRecord } from '../src/audit/entry.ts'
import { isSigned } from '../src/authentication/sigv4.ts'
import { decide } from '../src/authorization/decide.ts'
import { explain } from '../src/authorization/explain.ts'
import { Failure, type FailureCode } from '../src/errors.ts'
import type { LogFields } from '../src/log.ts'
import type { Operation, Target } from '../src/operations/operation.ts'
import { handle } from '../src/pipeline.ts'
import { type RunningServer, serveApi } from '../src/server/server.ts'
import type { PathServices } from '../src/services.ts'
import { alone } from '../src/storage/fleet/alone.ts'
import { Conflict } from '../src/storage/storage.ts'
import { journalInto } from './audit/records.ts'
import { now, permanent, sign, verifier } from './authentication/signed-request.ts'
import { aUser } from './authorization/users.ts'
import { noExternalKeyStores } from './xks-proxies/none.ts'

/** A second API beside that of AWS KMS, as unlike it as can be: what the path does for it without knowing it. */

interface NoteInput {
  readonly Name: string
  readonly Text?: string
  readonly Rehearse?: string
}

interface NoteTarget extends Target {
  readonly note: string | undefined
}

const account = '111122223333'
const arnOf = (name: string) => `arn:aws:notes:eu-central-1:${account}:note/${name}`
const notes = new Map([['list', 'milk']])

const getNote: Operation<NoteInput, { readonly Text: string }, NoteTarget> = {
  name: 'GetNote',
  readOnly: true,
  target: {
    find: ({ Name }, { operation }) => ({
      note: notes.get(Name),
      permissions: [{ action: operation, resource: arnOf(Name), account }],
      resources: [arnOf(Name)],
      check() {
        if (!notes.has(Name)) throw new Failure('NotFound', `There is no note ${Name}.`)
      },
    }),
  },
  recorded: ['Name'],
  run: async ({ target }) => ({ Text: target.note! }),
}

const putNote: Operation<NoteInput, never, Target> = {
  name: 'PutNote',
  readOnly: false,
  recorded: ['Name'],
  target: {
    find: ({ Name }, { operation }) => ({
      permissions: [operation, 'OverwriteNote'].map(action => ({ action, resource: arnOf(Name), account })),
      resources: [arnOf(Name)],
      check() {},
    }),
  },
  recordedResource: 'noteArn',
  isDryRun: ({ Rehearse }) => Rehearse !== undefined,
  run: async ({ input }) => {
    notes.set(input.Name, input.Text!)
    return undefined
  },
}

/** Whoever knows the password may read the sign. */
const readSign: Operation<{ readonly Password: string }, { readonly Text: string }, Target> = {
  name: 'ReadSign',
  readOnly: true,
  recorded: [],
  async identify({ Password }, { sourceAddress }) {
    if (Password !== 'sesame') throw new Failure('NotAuthorized', `Not from ${sourceAddress}.`)
    return aUser(`arn:aws:iam::${account}:user/reader`, [])
  },
  target: { find: () => ({ permissions: [], resources: [], check() {} }) },
  run: async ({ caller }) => ({ Text: `Welcome ${caller.arn}` }),
}

const ownCodes: Partial<Record<FailureCode, readonly [code: string, status: number]>> = {
  AccessDenied: ['AccessDenied', 403],
  NotFound: ['NoSuchNote', 404],
  InvalidRequestSignature: ['SignatureDoesNotMatch', 403],
  Internal: ['InternalFailure', 500],
}

/** The AWS query protocol, in short. */
const notesApi: Api = {
  service: 'notes',
  actionPrefix: 'notes:',
  eventSource: 'notes.example.com',
  hasUnsignedOperations: true,
  claims: ({ headers }) => headers['content-type'] === 'application/x-www-form-urlencoded',
  async operation({ url }) {
    const name = new URLSearchParams(url.slice(url.indexOf('?'))).get('Action')
    const operation = [getNote, putNote, readSign].find(operation => operation.name === name)
    if (!operation) throw new Failure('UnknownOperation')
    return operation
  },
  input: (_operation, body) => Object.fromEntries(new URLSearchParams(Buffer.from(body).toString())),
  accept: ({ name }, output) => xml(200, `<${name}>${Object.values(output ?? {})}</${name}>`),
  errorCode: ({ code }) => ownCodes[code]?.[0] ?? code,
  refuse(failure, requestId, request) {
    const status = ownCodes[failure.code]?.[1] ?? failure.status
    return xml(status, `<Code>${notesApi.errorCode(failure, request)}</Code>${failure.message} ${requestId}`)
  },
}

function xml(status: number, body: string): ApiResponse {
  return { status, headers: { 'Content-Type': 'text/xml' }, body }
}

const records: AuditRecord[] = []
const intents: AuditRecord[] = []
let notesAtIntent: unknown[] = []
let beginning = () => {}
/** Commits to come that conflict. */
let conflicts = 0
const outcomes: string[] = []
const logged: LogFields[] = []
const journal = journalInto(records)
const policy = JSON.stringify({ Statement: { Effect: 'Allow', Action: ['notes:*Note'], Resource: arnOf('*') } })
/** For whom the HSM has been asked. */
const users: string[] = []
const hsms = { for: (caller: string) => users.push(caller) && hsms } as unknown as PathServices['hsms']
let policies = [policy]
/** Replaces members of the caller. */
let session: object = {}
let server: RunningServer

const services = {
  hsms,
  externalKeyStores: noExternalKeyStores,
  audit: createAudit(journal, () => now, 'gateway.example.com'),
  outbox: {
    audited: () => undefined,
    async begin(intent: AuditRecord) {
      beginning()
      intents.push(intent)
      notesAtIntent = [notes.get('intended')]
    },
    async commit(_changes: unknown, record: AuditRecord) {
      if (conflicts-- > 0) throw new Conflict('changed by another request')
      return async () => void records.push(record)
    },
    fail: async (record: AuditRecord) => void records.push(record),
  },
  async authenticate(request: ApiRequest, { service, hasUnsignedOperations }: Api) {
    if (hasUnsignedOperations && !isSigned(request)) return undefined
    const { region } = await verifier({ service }).verify(request)
    return { ...aUser(permanent.principalArn, policies), region, ...session }
  },
  authorize: decide,
  explain,
  storage: { fleet: alone },
  metrics: {
    started: () => (operation: string | undefined, outcome: string) => void outcomes.push(`${operation} ${outcome}`),
  },
  log: { error() {}, warn() {}, info: (fields: LogFields) => void logged.push(fields) },
} as unknown as PathServices

beforeAll(async () => {
  const limits = { maxBodySize: 2048, maxBodyMemory: 65_536, maxConnections: 100, cors: false }
  const options = { host: '127.0.0.1', port: 0, ...limits }
  server = await serveApi(options, [apis[0], notesApi], services, async () => ({
    ready: true,
    parts: {},
  }))
})

afterAll(() => server.close())

const denial = (value: string) => ({
  Effect: 'Deny',
  Action: '*',
  Resource: '*',
  Condition: { StringNotEquals: { 'aws:PrincipalTag/team': value } },
})

interface Asked {
  readonly action?: string
  readonly input?: Record<string, string>
  readonly service?: string
  readonly headers?: Record<string, string>
  readonly unsigned?: boolean
}

async function ask({ action = 'GetNote', input = { Name: 'list' }, service = 'notes', headers = {}, unsigned }: Asked) {
  const body = Buffer.from(new URLSearchParams(input).toString())
  const { host } = new URL(server.url)
  const type = { 'content-type': 'application/x-www-form-urlencoded', 'x-amz-target': '' }
  const request = await sign({ query: { Action: action }, body, service, headers: { host, ...type, ...headers } })
  const sent = { method: 'POST', headers: unsigned ? type : (request.headers as Record<string, string>), body }
  const answer = await fetch(`${server.url}${request.url}`, sent)
  return { status: answer.status, body: await answer.text(), record: records.at(-1)!, outcome: outcomes.at(-1) }
}

describe('an API beside the first', () => {
  it('gets the requests that it claims, and answers in its protocol', async () => {
    const { status, body, record, outcome } = await ask({})
    expect([status, body, outcome]).toEqual([200, '<GetNote>milk</GetNote>', 'GetNote success'])
    expect(record).toMatchObject({
      eventSource: 'notes.example.com',
      eventName: 'GetNote',
      userIdentity: { type: 'IAMUser', arn: permanent.principalArn },
      requestParameters: { name: 'list' },
    })
    expect(record.resources).toEqual([{ ARN: arnOf('list'), accountId: account, type: undefined }])
  })

  it('uses the HSM for the user, or for the role of all sessions', async () => {
    users.length = 0
    await ask({})
    for (const name of ['first', 'second']) {
      session = { type: 'assumedRole', principalId: `AROAEXAMPLE0000000001:${name}`, issuedAt: now }
      expect((await ask({})).record.userIdentity).toMatchObject({ principalId: `AROAEXAMPLE0000000001:${name}` })
    }
    session = {}
    expect(users).toEqual(['AIDAEXAMPLE0000000001', 'AROAEXAMPLE0000000001', 'AROAEXAMPLE0000000001'])
  })

  it('audits changes under its own event source', async () => {
    const { status, record } = await ask({ action: 'PutNote', input: { Name: 'new', Text: 'bread' } })
    expect([status, record.readOnly, record.responseElements]).toEqual([200, false, { noteArn: arnOf('new') }])
    expect((await ask({ input: { Name: 'new' } })).body).toBe('<GetNote>bread</GetNote>')
  })

  it('has the intent of a change on disk before it is made', async () => {
    intents.length = 0
    const { record } = await ask({ action: 'PutNote', input: { Name: 'intended', Text: 'salt' } })
    expect(notesAtIntent).toEqual([undefined])
    const { responseElements: _, ...known } = record
    expect(intents).toEqual([{ ...known, responseElements: null }])
  })

  it('has the intent of each attempt after a conflict, which knows no answer yet', async () => {
    intents.length = 0
    conflicts = 2
    const { status, record } = await ask({ action: 'PutNote', input: { Name: 'contended', Text: 'salt' } })
    expect([status, record.responseElements]).toEqual([200, { noteArn: arnOf('contended') }])
    expect(intents.map(({ eventID }) => eventID)).toEqual(Array(3).fill(record.eventID))
    expect(intents.map(({ responseElements }) => responseElements)).toEqual([null, null, null])
  })

  it('is refused with an error that SDKs retry if each of ten attempts conflicts', async () => {
    conflicts = 10
    const asked = { action: 'PutNote', input: { Name: 'contested', Text: 'salt' } }
    const { status, record } = await ask(asked)
    expect([status, record.errorCode, conflicts]).toEqual([400, 'Throttling', 0])
    expect((await ask(asked)).status).toBe(200)
  })

  it('changes nothing, and calls nothing, if its intent cannot be written', async () => {
    beginning = () => {
      throw new Failure('Internal')
    }
    const { status } = await ask({ action: 'PutNote', input: { Name: 'refused', Text: 'salt' } })
    beginning = () => {}
    expect([status, notes.has('refused')]).toEqual([500, false])
  })

  it.each<readonly [string, Asked]>([
    ['reads', {}],
    ['is a dry run', { action: 'PutNote', input: { Name: 'list', Text: 'gone', Rehearse: '1' } }],
    ['is refused', { action: 'PutNote', input: { Name: 'list', Text: 'gone' }, service: 'kms' }],
    ['fails its checks', { input: { Name: 'lost' } }],
  ])('has no intent of a request that %s', async (_, asked) => {
    intents.length = 0
    await ask(asked)
    expect(intents).toEqual([])
  })

  it('may have operations without a signature, whose caller their input proves', async () => {
    const asked = { action: 'ReadSign', input: { Password: 'sesame' } }
    for (const unsigned of [true, false]) {
      const { status, body, record } = await ask({ ...asked, unsigned })
      expect([status, body]).toEqual([200, `<ReadSign>Welcome arn:aws:iam::${account}:user/reader</ReadSign>`])
      expect(record.userIdentity).toMatchObject({ arn: `arn:aws:iam::${account}:user/reader` })
    }
    const { body, record } = await ask({ ...asked, input: { Password: 'guess' }, unsigned: true })
    expect(body).toContain('<Code>NotAuthorized</Code>Not from 127.0.0.1.')
    expect([record.eventName, record.userIdentity]).toEqual(['ReadSign', undefined])
  })

  it('refuses a signature that is not valid, even of an operation that needs none', async () => {
    const asked = { action: 'ReadSign', input: { Password: 'sesame' }, service: 'kms' }
    expect((await ask(asked)).body).toContain('<Code>SignatureDoesNotMatch</Code>')
  })

  it.each([
    ['a success', 'sesame', 'success'],
    ['a refusal', 'guess', 'NotAuthorized'],
  ])(
    'is refused once, in time, if other gateways do not show what it shows when its sender gives up: %s',
    async (_, password, recorded) => {
      const begun = performance.now()
      const late = async (_: unknown, answerBy: number) => answerBy !== begun + 50
      const storage = { fleet: { ...alone, settled: late } }
      const metrics = { ...services.metrics, settling: () => () => {} }
      const body = Buffer.from(`Password=${password}`)
      const asked = {
        method: 'POST',
        url: '/?Action=ReadSign',
        headers: {},
        sourceAddress: '127.0.0.1',
        answerBy: begun + 50,
      }
      const request = { ...asked, body: async () => body } as unknown as ApiRequest
      records.length = 0
      const answer = await handle(request, notesApi, { ...services, storage, metrics } as unknown as PathServices)
      expect([answer.status, answer.body]).toEqual([
        503,
        expect.stringContaining('has not applied the last changes in time'),
      ])
      expect(records.map(({ errorCode }) => errorCode ?? 'success')).toEqual([recorded])
    },
  )

  it('needs a signature for every other operation', async () => {
    const { body, record } = await ask({ unsigned: true })
    expect(body).toContain('<Code>MissingAuthenticationToken</Code>Missing Authentication Token')
    expect([record.eventName, record.userIdentity]).toEqual(['GetNote', undefined])
  })

  it('may have dry runs', async () => {
    const rehearsed = await ask({ action: 'PutNote', input: { Name: 'list', Text: 'gone', Rehearse: '1' } })
    expect(rehearsed.body).toContain('<Code>DryRunOperation</Code>')
    expect(notes.get('list')).toBe('milk')
  })

  it('has its own codes and statuses, also in audit records and metrics', async () => {
    const { status, body, record, outcome } = await ask({ input: { Name: 'lost' } })
    expect([status, body]).toEqual([404, `<Code>NoSuchNote</Code>There is no note lost. ${record.requestID}`])
    expect([record.errorCode, outcome]).toEqual(['NoSuchNote', 'GetNote NoSuchNote'])
  })

  it('has its own actions in policies and denials', async () => {
    for (const [text, denied] of [
      [policy.replaceAll('notes:', 'kms:'), 'notes:PutNote'],
      [policy.replaceAll('notes:*Note', 'notes:PutNote'), 'notes:OverwriteNote'],
    ] as const) {
      policies = [text]
      const { status, body, record } = await ask({ action: 'PutNote', input: { Name: 'list', Text: 'gone' } })
      expect([status, record.errorCode]).toEqual([403, 'AccessDenied'])
      expect(body).toContain(`is not authorized to perform: ${denied} on resource: ${arnOf('list')}`)
    }
    policies = [policy]
    expect(notes.get('list')).toBe('milk')
  })

  it('tells the operator of each refusal why, in the log and on record, and the caller what AWS tells', async () => {
    logged.length = 0
    policies = [policy.replaceAll('notes:*Note', 'notes:PutNote')]
    const { body, record } = await ask({ action: 'PutNote', input: { Name: 'list', Text: 'a secret' } })
    const reasons = [
      'No identity-based policy allows notes:OverwriteNote on arn:aws:notes:eu-central-1:111122223333:note/list.',
    ]
    expect(logged).toEqual([
      {
        event: 'access_denied',
        requestId: record.requestID,
        principal: permanent.principalArn,
        operation: 'PutNote',
        action: 'notes:OverwriteNote',
        resource: arnOf('list'),
        reasons,
      },
    ])
    expect(record.additionalEventData).toEqual({ strongroom: { reasons, durationMs: expect.any(Number) } })
    expect(body).toContain(
      `<Code>AccessDenied</Code>User: ${permanent.principalArn} is not authorized to perform: notes:OverwriteNote on resource: ${arnOf('list')} because no identity-based policy allows the notes:OverwriteNote action`,
    )
    policies = [policy]
  })

  it('keeps log line and record short, however long the policies are', async () => {
    logged.length = 0
    const many = Array.from({ length: 100 }, (_, index) => ({ ...denial(`${index}`), Sid: 'S'.repeat(200) }))
    policies = [policy, JSON.stringify({ Statement: many })]
    const { record } = await ask({})
    for (const short of [logged[0], record]) expect(JSON.stringify(short).length).toBeLessThan(8192)
    expect(logged[0]!.reasons).toHaveLength(10)
    policies = [policy]
  })

  it('accepts signatures for its own service only', async () => {
    const { status, body, record } = await ask({ service: 'kms' })
    expect([status, record.eventSource]).toEqual([403, 'notes.example.com'])
    expect(body).toContain("Credential should be scoped to correct service: 'notes'.")
  })

  it('leaves unclaimed requests to the first', async () => {
    const json = { 'content-type': 'application/x-amz-json-1.1' }
    for (const headers of [{ ...json, 'x-amz-target': 'TrentService.Fly' }, json]) {
      const { status, body, record } = await ask({ service: 'kms', headers })
      expect([status, body]).toEqual([400, '{"__type":"UnknownOperationException"}'])
      expect(record).toMatchObject({ eventSource: 'kms.amazonaws.com', errorCode: 'UnknownOperationException' })
    }
  })
})
