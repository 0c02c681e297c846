import { STS, type STSClientConfig } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dateText } from '../../src/apis/service-model/record.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, withIdentities } from './identities.ts'
import { refusal, send, signedPost } from './requests.ts'

/** AWS STS on the port of AWS KMS, through the SDK and below it. */

let installation: Installation
let gateway: Gateway
let denied: Identity
let session: Identity
let stranger: Identity
const clients: STS[] = []

beforeAll(async () => {
  installation = await install()
  installation.configure(config => {
    config.authorization = { encodedMessages: true }
  })
  await withIdentities(installation, async ({ user, role, session: start }) => {
    denied = await user(home, 'division/denied', {
      policies: [policyOf({ Effect: 'Deny', Action: '*', Resource: '*' })],
    })
    stranger = await user('444455556666', 'stranger', {
      policies: [policyOf({ Effect: 'Allow', Action: '*', Resource: '*' })],
    })
    session = await start(await role(home, 'service/backup'), 'nightly')
  })
  gateway = await serve(installation)
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  await gateway?.stop()
  installation?.remove()
})

function sts(options: Partial<STSClientConfig> = {}): STS {
  const credentials = installation.credentials[home]!
  const client = new STS({ endpoint: gateway.url, region: 'us-east-1', credentials, maxAttempts: 1, ...options })
  clients.push(client)
  return client
}

const recorded = (requestId: string | undefined) => gateway.records().find(({ requestID }) => requestID === requestId)!

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const post = (body: string, options: object = {}) =>
  signedPost({
    url: gateway.url,
    credentials: installation.credentials[home]!,
    service: 'sts',
    target: null,
    headers: form,
    body,
    ...options,
  })
const identity = 'Action=GetCallerIdentity&Version=2011-06-15'

describe('GetCallerIdentity', () => {
  it('says who calls, whatever the policies deny', async () => {
    const { $metadata, ...said } = await sts({ credentials: denied.credentials }).getCallerIdentity({})
    expect(said).toEqual({ UserId: denied.principalId, Account: home, Arn: denied.arn })
    expect(recorded($metadata.requestId)).toMatchObject({
      eventSource: 'sts.amazonaws.com',
      eventName: 'GetCallerIdentity',
      readOnly: true,
      responseElements: null,
      userIdentity: { arn: denied.arn },
    })
  })

  it('names the session of a role', async () => {
    const { UserId, Arn } = await sts({ credentials: session.credentials }).getCallerIdentity({})
    expect([UserId, Arn]).toEqual([session.principalId, session.arn])
  })

  it('is answered in XML, or in JSON to those who ask for it', async () => {
    const xml = await post(identity)
    expect(xml.headers['content-type']).toBe('text/xml')
    const requestId = xml.headers['x-amzn-requestid']
    expect(xml.body).toMatch(
      new RegExp(
        '^<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>' +
          `<UserId>AIDA\\w+</UserId><Account>${home}</Account><Arn>arn:aws:iam::${home}:user/administrator</Arn>` +
          `</GetCallerIdentityResult><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`,
      ),
    )
    const json = await post(identity, { headers: { ...form, accept: 'application/json' } })
    expect(json.headers['content-type']).toBe('application/json')
    expect(JSON.parse(json.body)).toEqual({
      GetCallerIdentityResponse: {
        GetCallerIdentityResult: {
          UserId: expect.any(String),
          Account: home,
          Arn: expect.stringMatching(/administrator$/),
        },
        ResponseMetadata: { RequestId: json.headers['x-amzn-requestid'] },
      },
    })
  })

  it('may be asked by GET', async () => {
    const { status, body } = await post('', { method: 'GET', path: `/?${identity}`, headers: { 'content-type': '' } })
    expect([status, body]).toEqual([200, expect.stringContaining(`<Account>${home}</Account>`)])
  })
})

describe('GetSessionToken', () => {
  it('gives temporary credentials of the user, and puts neither secret nor token on record', async () => {
    const { Credentials, $metadata } = await sts().getSessionToken({ DurationSeconds: 900 })
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials!
    const left = Expiration!.getTime() - Date.now()
    expect(AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/)
    expect([left > 600_000, left <= 900_000]).toEqual([true, true])
    const record = recorded($metadata.requestId)
    expect(record).toMatchObject({
      requestParameters: { durationSeconds: 900 },
      responseElements: { credentials: { accessKeyId: AccessKeyId, expiration: dateText(Expiration!) } },
    })
    for (const secret of [SecretAccessKey!, SessionToken!]) expect(JSON.stringify(record)).not.toContain(secret)

    const credentials = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
    await gateway.client({ credentials }).listKeys({})
    const own = sts({ credentials })
    expect((await own.getCallerIdentity({})).Arn).toBe(`arn:aws:iam::${home}:user/administrator`)
    expect(await refusal(own.getSessionToken({}))).toBe(
      'AccessDenied: Cannot call GetSessionToken with session credentials',
    )
    expect(await refusal(own.getAccessKeyInfo({ AccessKeyId: AccessKeyId! }))).toMatch(/^AccessDenied: Cannot call/)
  })

  it('is refused to sessions of roles, and for MFA devices', async () => {
    expect(await refusal(sts({ credentials: session.credentials }).getSessionToken({}))).toMatch(
      /^AccessDenied: Cannot/,
    )
    expect(await refusal(sts().getSessionToken({ SerialNumber: 'arn:aws:iam::1:mfa/x', TokenCode: '123456' }))).toBe(
      'ValidationError: MFA devices are not supported by this gateway: omit SerialNumber and TokenCode.',
    )
  })
})

describe('GetAccessKeyInfo', () => {
  it('names the account of an access key, to those who may ask', async () => {
    const { accessKeyId: AccessKeyId } = denied.credentials
    expect((await sts().getAccessKeyInfo({ AccessKeyId })).Account).toBe(home)
    expect(await refusal(sts().getAccessKeyInfo({ AccessKeyId: 'AKIAUNKNOWN000000000' }))).toBe(
      'ValidationError: There is no access key AKIAUNKNOWN000000000 of a user.',
    )
    expect(await refusal(sts({ credentials: denied.credentials }).getAccessKeyInfo({ AccessKeyId }))).toMatch(
      /^AccessDenied: User: \S+ is not authorized to perform: sts:GetAccessKeyInfo on resource: \* with an explicit deny/,
    )
  })
})

describe('DecodeAuthorizationMessage', () => {
  const encodedIn = (message: string) => / Encoded authorization failure message: (\S+)$/.exec(message)![1]!

  it('tells those who may know why another was refused', async () => {
    const refused = await refusal(gateway.client({ credentials: denied.credentials }).listKeys({}))
    const EncodedMessage = encodedIn(refused)
    const { DecodedMessage, $metadata } = await sts().decodeAuthorizationMessage({ EncodedMessage })
    expect(JSON.parse(DecodedMessage!)).toEqual({
      allowed: false,
      explicitDeny: true,
      reasons: [expect.stringContaining('denies')],
      context: {
        principal: { id: denied.principalId, arn: denied.arn },
        action: 'kms:ListKeys',
        resource: '*',
      },
    })
    for (const record of [
      recorded($metadata.requestId),
      gateway.records().find(({ eventName }) => eventName === 'ListKeys'),
    ])
      expect(JSON.stringify(record)).not.toContain(EncodedMessage)
  })

  it('needs a permission, and a message of this gateway for the account', async () => {
    const refused = await refusal(gateway.client({ credentials: denied.credentials }).listKeys({}))
    const EncodedMessage = encodedIn(refused)
    const asDenied = sts({ credentials: denied.credentials })
    expect(await refusal(asDenied.decodeAuthorizationMessage({ EncodedMessage }))).toMatch(
      /^AccessDenied: User: \S+ is not authorized to perform: sts:DecodeAuthorizationMessage on resource: \*/,
    )
    const { sessionToken } = session.credentials
    const foreign = sts({ credentials: stranger.credentials })
    const invalid = 'InvalidAuthorizationMessageException: Message is not valid'
    expect(await refusal(foreign.decodeAuthorizationMessage({ EncodedMessage }))).toBe(invalid)
    for (const forged of ['x', EncodedMessage.slice(0, -4), `${EncodedMessage}AAAA`, sessionToken!.slice(0, 10_240)])
      expect(await refusal(sts().decodeAuthorizationMessage({ EncodedMessage: forged }))).toBe(invalid)
  })

  it('is not offered for resources of other accounts, whose policies it would explain', async () => {
    const { KeyMetadata } = await gateway.client().createKey({})
    const refused = await refusal(
      gateway.client({ credentials: stranger.credentials }).describeKey({ KeyId: KeyMetadata!.Arn! }),
    )
    expect(refused).toMatch(/^AccessDeniedException: .* explicitly denies access$/)
  })
})

describe('a refusal of AWS STS', () => {
  it.each<[string, Partial<STSClientConfig>, string, number]>([
    [
      'an unknown access key',
      { credentials: { accessKeyId: 'AKIAUNKNOWN000000000', secretAccessKey: 'x' } },
      'InvalidClientTokenId: The security token included in the request is invalid.',
      403,
    ],
    [
      'another region than those served and that of the global endpoint',
      { region: 'xx-nowhere-1' },
      "SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'xx-nowhere-1'.",
      403,
    ],
  ])('has the code and status of STS: %s', async (_, options, message, status) => {
    const client = sts(options)
    expect(await refusal(client.getCallerIdentity({}))).toBe(message)
    await expect(client.getCallerIdentity({})).rejects.toMatchObject({ $metadata: { httpStatusCode: status } })
  })

  it('is that of validation in its words', async () => {
    expect(await refusal(sts().getSessionToken({ DurationSeconds: 899 }))).toBe(
      "ValidationError: 1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    )
  })

  it.each([
    ['Action=Fly&Version=2011-06-15', 'InvalidAction', 'Could not find operation Fly for version 2011-06-15'],
    [
      'Action=GetCallerIdentity',
      'InvalidAction',
      'Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED',
    ],
    ['Version=2011-06-15', 'InvalidAction', 'The request names no Action.'],
    [`${identity}&${identity}`, 'MalformedInput', 'The request has a parameter twice.'],
    [
      'Action=GetSessionToken&Version=2011-06-15&DurationSeconds=1h',
      'MalformedInput',
      'The parameter DurationSeconds is not an integer.',
    ],
    [
      'Action=AssumeRoot&Version=2011-06-15',
      'UnsupportedOperation',
      'AssumeRoot is not supported by this gateway: there are no root users.',
    ],
  ])('is the same on the wire and on record: %s', async (body, code, message) => {
    const { headers, body: answer } = await post(body)
    const requestId = String(headers['x-amzn-requestid'])
    expect(answer).toBe(
      `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>\n`,
    )
    expect(recorded(requestId)).toMatchObject({ errorCode: code, errorMessage: message })
  })

  it('is in JSON to those who ask for it', async () => {
    const { status, body } = await post('Action=Fly&Version=2011-06-15', {
      headers: { ...form, accept: 'application/json' },
    })
    expect([status, JSON.parse(body).Error]).toEqual([
      400,
      { Code: 'InvalidAction', Message: 'Could not find operation Fly for version 2011-06-15', Type: 'Sender' },
    ])
  })

  it('is that of a missing signature unless the operation needs none', async () => {
    const { status, body } = await send(gateway.url, { method: 'POST', headers: form }, Buffer.from(identity))
    expect([status, body]).toEqual([
      403,
      expect.stringContaining('<Code>MissingAuthenticationToken</Code><Message>Request is'),
    ])
  })
})
