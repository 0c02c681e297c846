import { CloudTrail, type CloudTrailClientConfig, type Event, paginateLookupEvents } from '@aws-sdk/client-cloudtrail'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, withIdentities } from './identities.ts'
import { signedPost } from './requests.ts'

/** LookupEvents of AWS CloudTrail on the port of AWS KMS, through the SDK and below it. */

const other = '444455556666'
let installation: Installation
let gateway: Gateway
let kms: KMS
let trail: CloudTrail
let keyArn: string
let auditor: Identity
let session: Identity
let denied: Identity
let stranger: Identity
const clients: CloudTrail[] = []

function cloudTrail(options: Partial<CloudTrailClientConfig> = {}): CloudTrail {
  const credentials = installation.credentials[home]!
  const client = new CloudTrail({ endpoint: gateway.url, region: 'us-east-1', credentials, maxAttempts: 1, ...options })
  clients.push(client)
  return client
}

beforeAll(async () => {
  installation = await install()
  await withIdentities(installation, async ({ user, role, session: start }) => {
    const lookup = policyOf({ Effect: 'Allow', Action: 'cloudtrail:LookupEvents', Resource: '*' })
    const everything = policyOf({ Effect: 'Allow', Action: '*', Resource: '*' })
    auditor = await user(home, 'auditor', { policies: [lookup] })
    denied = await user(home, 'denied', { policies: [policyOf({ Effect: 'Allow', Action: 'kms:*', Resource: '*' })] })
    stranger = await user(other, 'stranger', { policies: [everything] })
    session = await start(await role(home, 'backup', { policies: [everything] }), 'nightly')
  })
  gateway = await serve(installation)
  kms = gateway.client()
  trail = cloudTrail({ credentials: auditor.credentials })
  keyArn = (await kms.createKey({})).KeyMetadata!.Arn!
  for (let count = 0; count < 7; count++) await kms.encrypt({ KeyId: keyArn, Plaintext: Buffer.from('text') })
  await kms.decrypt({ KeyId: keyArn, CiphertextBlob: Buffer.from('no ciphertext') }).catch(() => undefined)
  await gateway.client({ credentials: session.credentials }).listKeys({})
  await gateway.client({ credentials: stranger.credentials }).listAliases({})
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  await gateway?.stop()
  installation?.remove()
})

const lookupOf = (AttributeKey: string, AttributeValue: string) =>
  ({ LookupAttributes: [{ AttributeKey, AttributeValue }] }) as { LookupAttributes: never }

const namesOf = (events: readonly Event[] = []) => events.map(({ EventName }) => EventName)

async function found(key: string, value: string): Promise<readonly Event[]> {
  return (await trail.lookupEvents(lookupOf(key, value))).Events!
}

describe('LookupEvents', () => {
  it('shows an event as CloudTrail does, with its record', async () => {
    const [event] = await found('EventName', 'Decrypt')
    const record = gateway.records().find(({ eventName }) => eventName === 'Decrypt')!
    expect(event).toEqual({
      EventId: record.eventID,
      EventName: 'Decrypt',
      ReadOnly: 'true',
      AccessKeyId: installation.credentials[home]!.accessKeyId,
      EventTime: new Date(record.eventTime),
      EventSource: 'kms.amazonaws.com',
      Username: 'administrator',
      Resources: [{ ResourceType: 'AWS::KMS::Key', ResourceName: keyArn }],
      CloudTrailEvent: expect.any(String),
    })
    expect(JSON.parse(event!.CloudTrailEvent!)).toEqual(record)
  })

  it.each<readonly [string, () => string, readonly string[]]>([
    ['EventId', () => gateway.records().find(({ eventName }) => eventName === 'CreateKey')!.eventID, ['CreateKey']],
    ['EventName', () => 'CreateKey', ['CreateKey']],
    ['ReadOnly', () => 'false', ['CreateKey']],
    ['Username', () => 'nightly', ['ListKeys']],
    ['AccessKeyId', () => session.credentials.accessKeyId, ['ListKeys']],
    ['ResourceName', () => keyArn, ['Decrypt', ...Array(7).fill('Encrypt'), 'CreateKey']],
    ['ResourceType', () => 'AWS::KMS::Key', ['Decrypt', ...Array(7).fill('Encrypt'), 'CreateKey']],
    ['EventSource', () => 'sts.amazonaws.com', []],
    ['Username', () => 'stranger', []],
    ['EventName', () => 'createkey', []],
    ['EventId', () => '919108f7-52d1-4320-9bac-f847db4148a8', []],
  ])('finds events by %s', async (key, value, names) => {
    const events = await found(key, value())
    // Init recorded changes, too.
    expect(namesOf(events).filter(name => !/^Create(?:SystemKey|Administrator|User|Role)/.test(name!))).toEqual(names)
  })

  it('shows the newest first, in pages that fit each other while events come', async () => {
    const before = gateway.records().length
    const pages: string[][] = []
    for await (const { Events } of paginateLookupEvents(
      { client: trail, pageSize: 4 },
      lookupOf('EventName', 'Encrypt'),
    )) {
      pages.push(Events!.map(({ EventId }) => EventId!))
      await kms.encrypt({ KeyId: keyArn, Plaintext: Buffer.from('text') })
    }
    const expected = gateway
      .records()
      .slice(0, before)
      .filter(({ eventName }) => eventName === 'Encrypt')
      .map(({ eventID }) => eventID)
    expect(pages.map(page => page.length)).toEqual([4, 3])
    expect(pages.flat()).toEqual(expected.sort().reverse())
  })

  it('shows the events of the account and region of the request only', async () => {
    const names = async (options: Partial<CloudTrailClientConfig>) => {
      const { Events } = await cloudTrail(options).lookupEvents({})
      return namesOf(Events).filter(name => name !== 'LookupEvents')
    }
    expect(await names({ credentials: stranger.credentials })).toEqual(['ListAliases'])
  })

  it('looks at the time range, both ends included', async () => {
    const [event] = await found('EventName', 'CreateKey')
    const at = event!.EventTime!
    const range = async (StartTime?: Date, EndTime?: Date) =>
      namesOf((await trail.lookupEvents({ ...lookupOf('EventName', 'CreateKey'), StartTime, EndTime })).Events)
    const [earlier, later] = [-1000, 1000].map(step => new Date(at.getTime() + step))
    expect(await range(at, at)).toEqual(['CreateKey'])
    expect(await range(earlier, later)).toEqual(['CreateKey'])
    expect(await range(later)).toEqual([])
    expect(await range(undefined, earlier)).toEqual([])
  })

  it('has no Insights events', async () => {
    const { Events, NextToken } = await trail.lookupEvents({ EventCategory: 'insight' })
    expect([Events, NextToken]).toEqual([[], undefined])
  })

  it('needs the permission cloudtrail:LookupEvents', async () => {
    const lookup = cloudTrail({ credentials: denied.credentials }).lookupEvents({})
    await expect(lookup).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining(`User: ${denied.arn} is not authorized to perform: cloudtrail:LookupEvents`),
    })
    expect(gateway.records().at(-1)).toMatchObject({
      eventSource: 'cloudtrail.amazonaws.com',
      eventName: 'LookupEvents',
      errorCode: 'AccessDenied',
    })
  })

  it.each<readonly [string, string, object]>([
    ['InvalidMaxResultsException', 'no results', { MaxResults: 0 }],
    ['InvalidMaxResultsException', 'too many results', { MaxResults: 51 }],
    ['InvalidTimeRangeException', 'a start after the end', { StartTime: new Date(2000), EndTime: new Date(1000) }],
    ['InvalidEventCategoryException', 'another category', { EventCategory: 'Management' }],
    ['InvalidLookupAttributesException', 'an unknown key', lookupOf('Caller', 'somebody')],
    ['InvalidLookupAttributesException', 'an empty value', lookupOf('Username', '')],
    ['InvalidLookupAttributesException', 'a value that is too long', lookupOf('Username', 'x'.repeat(2001))],
    [
      'InvalidLookupAttributesException',
      'a value whose characters count twice',
      lookupOf('Username', '_'.repeat(1001)),
    ],
    ['InvalidLookupAttributesException', 'ReadOnly neither true nor false', lookupOf('ReadOnly', 'True')],
    [
      'InvalidLookupAttributesException',
      'two attributes',
      {
        LookupAttributes: [
          ...lookupOf('EventName', 'Encrypt').LookupAttributes,
          ...lookupOf('ReadOnly', 'true').LookupAttributes,
        ],
      },
    ],
    [
      'InvalidLookupAttributesException',
      'a key that Insights events do not have',
      { ...lookupOf('Username', 'x'), EventCategory: 'insight' },
    ],
    ['InvalidNextTokenException', 'an invented token', { NextToken: 'AAAA' }],
    ['InvalidNextTokenException', 'an empty token', { NextToken: '' }],
  ])('answers %s to %s', async (name, _, input) => {
    await expect(trail.lookupEvents(input)).rejects.toMatchObject({ name })
  })

  it('accepts a token for the same request of the same account only', async () => {
    const { NextToken } = await trail.lookupEvents({ ...lookupOf('EventName', 'Encrypt'), MaxResults: 1 })
    const invalid = { name: 'InvalidNextTokenException' }
    await expect(trail.lookupEvents({ NextToken })).rejects.toMatchObject(invalid)
    await expect(trail.lookupEvents({ ...lookupOf('EventName', 'Decrypt'), NextToken })).rejects.toMatchObject(invalid)
    const foreign = cloudTrail({ credentials: stranger.credentials })
    await expect(foreign.lookupEvents({ ...lookupOf('EventName', 'Encrypt'), NextToken })).rejects.toMatchObject(
      invalid,
    )
    const { Events } = await trail.lookupEvents({ ...lookupOf('EventName', 'Encrypt'), NextToken, MaxResults: 2 })
    expect(Events).toHaveLength(2)
  })

  it('shows a call on a key of another account to both', async () => {
    const { KeyMetadata } = await kms.createKey({
      Policy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { AWS: [home, other] }, Action: 'kms:*', Resource: '*' }],
      }),
    })
    const { Arn } = KeyMetadata!
    await gateway.client({ credentials: stranger.credentials }).encrypt({ KeyId: Arn, Plaintext: Buffer.from('text') })
    const lookup = lookupOf('ResourceName', Arn!)
    const { Events: own } = await cloudTrail({ credentials: stranger.credentials }).lookupEvents(lookup)
    const { Events: ofOwner } = await trail.lookupEvents(lookup)
    expect([namesOf(own), namesOf(ofOwner)]).toEqual([['Encrypt'], ['Encrypt', 'CreateKey']])
    const shared = [own, ofOwner].map(events => JSON.parse(events![0]!.CloudTrailEvent!).sharedEventID)
    expect(shared[0]).toBe(shared[1])
    expect([own, ofOwner].map(events => events![0]!.Username)).toEqual(['stranger', undefined])
    for (const { EventId } of [own![0]!, ofOwner![0]!])
      expect(gateway.records().filter(({ eventID }) => eventID === EventId)).toHaveLength(1)
    expect(namesOf(await found('EventId', ofOwner![0]!.EventId!))).toEqual(['Encrypt'])
  })
})

describe('AWS CloudTrail', () => {
  it('has no other operation here, and says so', async () => {
    await expect(trail.describeTrails({})).rejects.toMatchObject({
      name: 'UnsupportedOperationException',
      message: expect.stringContaining('LookupEvents'),
    })
  })

  it('is called by the name of the service with its namespace, as by boto3 and the AWS CLI, and without', async () => {
    const { url } = gateway
    const { credentials } = auditor
    const lookup = (target: string) => signedPost({ url, credentials, service: 'cloudtrail', target })
    for (const prefix of ['com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101', 'CloudTrail_20131101'])
      expect(await lookup(`${prefix}.LookupEvents`)).toMatchObject({ status: 200 })
    expect(await lookup('CloudTrail_20131101.Fly')).toMatchObject({ status: 400 })
  })
})
