import { expect, it } from 'vitest'
import { createAudit } from '../../src/audit/audit.ts'
import { appendShared, isCopy } from '../../src/audit/copies.ts'
import type { AuditRecord, Entry, RecordedError } from '../../src/audit/entry.ts'
import { timeOfEvent } from '../../src/audit/event-id.ts'
import type { Caller } from '../../src/model/identities/caller.ts'
import { journalInto } from './records.ts'

/** Who gets the record of a call, and what it says about the caller. */

const [home, other, third] = ['111122223333', '444455556666', '777788889999'] as const
const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const keyOf = (account: string) => `arn:aws:kms:us-east-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`

const place = { region: 'us-east-1', policies: [], tags: [] }
const alice: Caller = {
  ...place,
  type: 'user',
  account: home,
  arn: `arn:aws:iam::${home}:user/alice`,
  principalId: 'AIDA0123456789EXAMPLE',
  accessKeyId: 'AKIA0123456789EXAMPL',
  userName: 'alice',
}
const session: Caller = {
  ...place,
  type: 'assumedRole',
  account: home,
  arn: `arn:aws:sts::${home}:assumed-role/backup/nightly`,
  principalId: 'AROA0123456789EXAMPLE:nightly',
  accessKeyId: 'ASIA0123456789EXAMPL',
  roleArn: `arn:aws:iam::${home}:role/jobs/backup`,
  roleName: 'backup',
  sessionName: 'nightly',
  issuedAt: now,
  sourceIdentity: 'Alice',
}
const calling = {
  service: 's3.amazonaws.com',
  accessKeyId: 'AKIASERVICE',
  sourceArn: 'arn:aws:s3:::bucket',
  sourceAccount: home,
}
const s3: Caller = {
  ...place,
  ...calling,
  type: 'service',
  account: '',
  arn: calling.service,
  principalId: 'AIDASERVICE',
  accounts: [home],
}

async function recordsOf(parts: Partial<Entry>, error?: RecordedError): Promise<AuditRecord[]> {
  const records: AuditRecord[] = []
  const audit = createAudit(journalInto(records), () => now, 'test')
  const request = {
    eventSource: 'kms.amazonaws.com',
    sourceAddress: '192.0.2.1',
    userAgent: 'curl',
    host: 'kms.example.com',
  }
  const entry = Object.assign(audit.open({ ...request, tls: undefined }), parts)
  await appendShared(journalInto(records), audit.record(entry, error))
  // As they are in the file.
  return JSON.parse(JSON.stringify(records)) as AuditRecord[]
}

it('has the time of the call in seconds, and an ID that has it in milliseconds', async () => {
  const [record] = await recordsOf({ caller: alice })
  expect(record!.eventTime).toBe('2026-01-02T03:04:05Z')
  expect(timeOfEvent(record!.eventID)).toBe(now)
})

it.each<[string, Caller, object]>([
  [
    'a user',
    alice,
    {
      type: 'IAMUser',
      principalId: alice.principalId,
      arn: alice.arn,
      accountId: home,
      accessKeyId: alice.accessKeyId,
      userName: 'alice',
    },
  ],
  [
    'temporary credentials of a user',
    { ...alice, session: { issuedAt: now, expiresAt: now } } as Caller,
    {
      ...{
        type: 'IAMUser',
        principalId: alice.principalId,
        arn: alice.arn,
        accountId: home,
        accessKeyId: alice.accessKeyId,
      },
      userName: 'alice',
      sessionContext: { attributes: { creationDate: '2026-01-02T03:04:05Z', mfaAuthenticated: 'false' } },
    },
  ],
  [
    'a session of a role',
    session,
    {
      ...{ type: 'AssumedRole', principalId: session.principalId, arn: session.arn, accountId: home },
      accessKeyId: session.accessKeyId,
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: 'AROA0123456789EXAMPLE',
          arn: `arn:aws:iam::${home}:role/jobs/backup`,
          accountId: home,
          userName: 'backup',
        },
        sourceIdentity: 'Alice',
        attributes: { creationDate: '2026-01-02T03:04:05Z', mfaAuthenticated: 'false' },
      },
    },
  ],
  ['a service', s3, { type: 'AWSService', invokedBy: 's3.amazonaws.com', accessKeyId: 'AKIASERVICE' }],
])('says who called: %s', async (_, caller, userIdentity) => {
  expect((await recordsOf({ caller, resources: [keyOf(home)] }))[0]!.userIdentity).toEqual(userIdentity)
})

it('names the service in place of an address, and has the address among our data', async () => {
  const names = { sourceIPAddress: calling.service, userAgent: calling.service }
  const [own] = await recordsOf({ caller: s3, resources: [keyOf(home)] })
  const source = {
    sourceIPAddress: '192.0.2.1',
    userAgent: 'curl',
    sourceArn: 'arn:aws:s3:::bucket',
    sourceAccount: home,
  }
  expect(own).toMatchObject({ ...names, additionalEventData: { strongroom: source } })
  const [onBehalf] = await recordsOf({ caller: { ...alice, via: calling }, resources: [keyOf(home)] })
  expect(onBehalf).toMatchObject({ ...names, userIdentity: { arn: alice.arn, invokedBy: calling.service } })
})

it.each<[string, Partial<Entry>, string | undefined]>([
  ['the owner of the key', { resources: [keyOf(home)], owner: home }, home],
  ['nobody if the key is its own', { resources: [keyOf(home)], owner: '' }, undefined],
  ['nobody if it may not act for the owner', { resources: [keyOf(other)], owner: other }, undefined],
  ['nobody if there is no key', { resources: [] }, undefined],
])('of a service is for %s', async (_, parts, recipientAccountId) => {
  const records = await recordsOf({ caller: s3, ...parts })
  expect(records.map(record => record.recipientAccountId)).toEqual([recipientAccountId])
})

it('is written for the caller and for each other account that owns a resource, which learns no names of the caller', async () => {
  for (const caller of [alice, session]) {
    const parts = {
      caller,
      resources: [keyOf(other), keyOf(home), keyOf(third), keyOf(other)],
      requestParameters: { keyId: 'k' },
    }
    const records = await recordsOf(parts)
    const own = records.pop()!
    expect(own).toMatchObject({ recipientAccountId: home, userIdentity: { arn: caller.arn } })
    expect(records.map(({ recipientAccountId }) => recipientAccountId)).toEqual([other, third])
    for (const { eventID, userIdentity, recipientAccountId, ...shared } of records) {
      expect(userIdentity).toEqual({ type: 'AWSAccount', principalId: caller.principalId, accountId: home })
      expect(own).toMatchObject(shared)
      expect(timeOfEvent(eventID)).toBe(now)
    }
    expect(new Set([own, ...records].map(({ sharedEventID }) => sharedEventID)).size).toBe(1)
    expect(new Set([own, ...records].map(({ eventID }) => eventID)).size).toBe(3)
    expect([own, ...records].map(isCopy)).toEqual([false, true, true])
  }
})

it.each<[string, Partial<Entry>, RecordedError | undefined, number]>([
  ['was denied', { resources: [keyOf(other)] }, { code: 'AccessDeniedException', message: '' }, 1],
  ['was denied by STS', { resources: [keyOf(other)] }, { code: 'AccessDenied', message: '' }, 1],
  ['failed otherwise', { resources: [keyOf(other)] }, { code: 'KMSInvalidStateException', message: '' }, 2],
  ['is within the account', { resources: [keyOf(home)] }, undefined, 1],
  ['has no resources', { resources: [] }, undefined, 1],
  ['failed before its resources were known', {}, { code: 'ValidationException', message: '' }, 1],
])('is written for the caller only if the call %s', async (_, parts, error, count) => {
  const records = await recordsOf({ caller: alice, ...parts }, error)
  expect(records).toHaveLength(count)
  expect(records.at(-1)).toMatchObject({ recipientAccountId: home })
  expect('sharedEventID' in records.at(-1)!).toBe(count > 1)
})

it('has the same ID for a copy that is written again', async () => {
  const records: AuditRecord[] = []
  const record = (await recordsOf({ caller: alice, resources: [keyOf(other)] })).at(-1)!
  for (let count = 0; count < 2; count++) await appendShared(journalInto(records), record)
  expect(records[0]!.eventID).toBe(records[2]!.eventID)
})

it('has CloudTrail’s tlsDetails of a request over TLS', async () => {
  const tls = { tlsVersion: 'TLSv1.2', cipherSuite: 'ECDHE-RSA-AES256-GCM-SHA384' }
  const [secure, plain] = [await recordsOf({ tls }), await recordsOf({})]
  expect(secure[0]!.tlsDetails).toEqual({ ...tls, clientProvidedHostHeader: 'kms.example.com' })
  expect(plain[0]).not.toHaveProperty('tlsDetails')
})
