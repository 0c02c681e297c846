/** Services that call as a service principal, or on behalf of a caller; and what a confused or malicious one cannot do. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Credentials, type Gateway, home, type Installation, install, serve, strongroom } from './gateway.ts'
import { type Identity, policyOf, type Role, withIdentities } from './identities.ts'
import { refusal, send, signed, signedPost } from './requests.ts'
import { describeServiceKeys } from './service-keys.ts'

const other = '444455556666'
const s3 = 's3.amazonaws.com'
const bucket = 'arn:aws:s3:::bucket'
const queue = `arn:aws:sqs:us-east-1:${home}:queue`
const source = (arn: string, account = home) => ({
  'x-strongroom-source-arn': arn,
  'x-strongroom-source-account': account,
})
const onBehalfOf = (arn: string) => ({ 'x-strongroom-on-behalf-of': arn })
const onBehalfOfSession = ({ arn, credentials }: Identity) => ({
  ...onBehalfOf(arn),
  'x-strongroom-session-access-key-id': credentials.accessKeyId,
  'x-strongroom-session-token': credentials.sessionToken!,
})
const Plaintext = Buffer.from('text').toString('base64')

let installation: Installation
let gateway: Gateway
let service: Identity
let alice: Identity
let volumes: Identity
let reader: Identity
let backup: Role
/** A session of it that may describe keys only. */
let night: Identity
/** Roles that trust the service, the second one in an account in which it may not act. */
let replicator: Role
let roleElsewhere: string
/** ARNs: for a bucket of the service, for its requests on behalf of callers, of no use to it, and in an account in which it may not act. */
let keys: { ofBucket: string; viaService: string; closed: string; foreign: string }

beforeAll(async () => {
  installation = await install({ accounts: [home, other] })
  installation.configure(config => {
    config.authentication = { ...config.authentication, services: true }
  })
  await withIdentities(installation, async identities => {
    const Condition = { StringEquals: { 'kms:ViaService': 's3.us-east-1.amazonaws.com' } }
    const viaService = policyOf({ Effect: 'Allow', Action: 'kms:*', Resource: '*', Condition })
    service = await identities.user(home, 'integrator', {
      policies: [policyOf({ Effect: 'Allow', Action: '*', Resource: '*' })],
    })
    alice = await identities.user(home, 'alice', { policies: [viaService] })
    volumes = await identities.user(home, 'volumes')
    const byAlias = { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/aws/ebs' } }
    reader = await identities.user(home, 'reader', {
      policies: [policyOf({ Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*', Condition: byAlias })],
    })
    backup = await identities.role(home, 'backup', { policies: [viaService] })
    const describing = policyOf({ Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*' })
    night = await identities.session(backup, 'night', { policies: [describing] })
    const trust = { Effect: 'Allow', Principal: { Service: s3 }, Action: 'sts:AssumeRole' }
    const forBucket = { ArnEquals: { 'aws:SourceArn': bucket } }
    const policies = [policyOf({ Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' })]
    replicator = await identities.role(home, 'replicator', {
      policies,
      trust: policyOf({ ...trust, Condition: forBucket }),
    })
    const foreign = await identities.role(other, 'replicator', { policies, trust: policyOf(trust) })
    roleElsewhere = foreign.arn
  })
  expect(await administer(commands[0]!)).toMatchObject({ code: 0, stderr: '' })
  gateway = await serve(installation)
  const forBucket = {
    Effect: 'Allow',
    Principal: { Service: s3 },
    Action: ['kms:Encrypt', 'kms:Decrypt'],
    Resource: '*',
    Condition: { ArnEquals: { 'aws:SourceArn': bucket }, StringEquals: { 'aws:SourceAccount': home } },
  }
  const everything = { Effect: 'Allow', Principal: { Service: s3 }, Action: 'kms:*', Resource: '*' }
  keys = {
    ofBucket: await keyWith(home, forBucket),
    viaService: await keyWith(home),
    closed: await keyWith(home),
    foreign: await keyWith(other, everything),
  }
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

/** Those of docs/services.md: put, list, delete. */
const page = readFileSync(join(import.meta.dirname, '../../docs/services.md'), 'utf8')
const commands = [...page.matchAll(/^strongroom (identity service .*)$/gm)].map(([, command]) =>
  command!.replaceAll('000000000000', home),
)

const administer = (command: string) => strongroom([...command.split(' '), '--data', installation.folder])

/** A key for its account, and whom else the statements name. */
async function keyWith(account: string, ...statements: object[]): Promise<string> {
  const principal = { AWS: `arn:aws:iam::${account}:root` }
  const owner = { Effect: 'Allow', Principal: principal, Action: 'kms:*', Resource: '*' }
  const Policy = JSON.stringify(policyOf(owner, ...statements))
  return (await gateway.client({ account }).createKey({ Policy })).KeyMetadata!.Arn!
}

async function call(target: string, body: object, headers = {}, credentials: Credentials = service.credentials) {
  const { status, body: text } = await signedPost({ url: gateway.url, credentials, target, body, headers })
  const { Message, ...rest } = JSON.parse(text || '{}') as Record<string, unknown>
  return { status, ...(Message !== undefined && { message: Message }), ...rest }
}

const encrypt = (KeyId: string, headers: object, by?: Credentials) => call('Encrypt', { KeyId, Plaintext }, headers, by)
const refused = { status: 400, __type: 'AccessDeniedException' }
const lastRecord = () => gateway.records().at(-1)!

describe('a service principal', () => {
  it('uses a key whose policy names it, for the resource that the policy names, and is on record with it', async () => {
    expect(await encrypt(keys.ofBucket, source(bucket))).toMatchObject({ status: 200 })
    expect(lastRecord()).toMatchObject({
      userIdentity: { type: 'AWSService', invokedBy: s3, accessKeyId: service.credentials.accessKeyId },
      sourceIPAddress: s3,
      userAgent: s3,
      recipientAccountId: home,
      additionalEventData: { strongroom: { sourceIPAddress: '127.0.0.1', sourceArn: bucket, sourceAccount: home } },
    })
  })

  it.each([
    ['another resource', source('arn:aws:s3:::bucket-of-somebody')],
    ['no resource', {}],
    ['another resource and its account', source(queue)],
  ])('uses it for %s not', async (_what, headers) => {
    expect(await encrypt(keys.ofBucket, headers)).toMatchObject(refused)
  })

  it('has no permissions of its user, nor those of an account whose policy names it while it may not act there', async () => {
    for (const key of [keys.closed, keys.foreign])
      expect(await encrypt(key, source(bucket))).toMatchObject({
        ...refused,
        message: expect.stringContaining(
          'because the resource does not exist in this Region, no resource-based policies',
        ),
      })
    for (const target of ['ListKeys', 'CreateKey']) expect(await call(target, {})).toMatchObject(refused)
  })

  it('cannot claim a resource of an account in which it may not act', async () => {
    expect(await encrypt(keys.foreign, source(bucket, other))).toMatchObject({
      ...refused,
      message: `${s3} may not act in the account ${other}.`,
    })
  })
})

describe('a service on behalf of a caller', () => {
  it('has the permissions of the caller for requests through it, and is on record with the caller', async () => {
    expect(await encrypt(keys.viaService, onBehalfOf(alice.arn))).toMatchObject({ status: 200 })
    expect(lastRecord().userIdentity).toEqual({
      type: 'IAMUser',
      principalId: alice.principalId,
      arn: alice.arn,
      accountId: home,
      accessKeyId: service.credentials.accessKeyId,
      userName: 'alice',
      invokedBy: s3,
    })
    expect(await encrypt(keys.viaService, {}, alice.credentials)).toMatchObject(refused)
  })

  it('has no more than that', async () => {
    const { arn: session } = night
    const headers = onBehalfOfSession(night)
    expect(await encrypt(keys.viaService, headers)).toMatchObject({
      ...refused,
      message: expect.stringContaining(
        `User: ${session} is not authorized to perform: kms:Encrypt on resource: ${keys.viaService} because no session policy allows`,
      ),
    })
    expect(lastRecord().userIdentity).toMatchObject({ type: 'AssumedRole', invokedBy: s3 })
    expect(await encrypt(keys.viaService, onBehalfOf(session))).toMatchObject({ __type: 'ValidationException' })
    expect(await encrypt(keys.ofBucket, { ...headers, ...source(bucket) })).toMatchObject({
      __type: 'ValidationException',
    })
  })

  it.each([
    ['the administrator of another account', `arn:aws:iam::${other}:user/administrator`],
    ['a role without a session', () => backup.arn],
    ['its own user', () => service.arn],
    ['nobody', `arn:aws:iam::${home}:user/nobody`],
  ])('may not be %s', async (_who, arn) => {
    const headers = onBehalfOf(typeof arn === 'string' ? arn : arn())
    expect(await encrypt(keys.viaService, headers)).toMatchObject({
      ...refused,
      message: expect.stringContaining(`${s3} may not call on behalf of arn:`),
    })
  })
})

describe('credentials from AWS STS', () => {
  const sts = (query: string, headers: object) => {
    const form = { 'content-type': 'application/x-www-form-urlencoded', ...headers }
    const body = `Version=2011-06-15&Action=${query}`
    return signedPost({
      url: gateway.url,
      credentials: service.credentials,
      service: 'sts',
      target: null,
      headers: form,
      body,
    })
  }
  const role = (arn = backup.arn) => `AssumeRole&RoleSessionName=session&RoleArn=${encodeURIComponent(arn)}`

  it('are not issued on behalf of a caller: they would outlast that', async () => {
    for (const query of ['GetSessionToken', role(), 'GetAccessKeyInfo&AccessKeyId=AKIA1234567890123456']) {
      const { status, body } = await sts(query, onBehalfOf(alice.arn))
      expect([status, body]).toEqual([403, expect.stringContaining('on behalf of a caller</Message>')])
    }
    const { status, body } = await sts('GetCallerIdentity', onBehalfOf(alice.arn))
    expect([status, body]).toEqual([200, expect.stringContaining(`<Arn>${alice.arn}</Arn>`)])
  })

  it('are issued to a service for itself only for a role that trusts it, for the resource that the role names', async () => {
    expect((await sts('GetSessionToken', {})).status).toBe(403)
    expect((await sts(role(), source(bucket))).status).toBe(403)
    expect((await sts(role(roleElsewhere), source(bucket))).status).toBe(403)
    expect((await sts(role(replicator.arn), source(queue))).status).toBe(403)
    const { status, body } = await sts(role(replicator.arn), source(bucket))
    expect(status).toBe(200)
    const read = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)![1]!
    const credentials = {
      accessKeyId: read('AccessKeyId'),
      secretAccessKey: read('SecretAccessKey'),
      sessionToken: read('SessionToken'),
    }
    expect(await encrypt(keys.closed, {}, credentials)).toMatchObject({ status: 200 })
    expect(await encrypt(keys.closed, source(bucket), credentials)).toMatchObject(refused)
  })
})

describe('the headers of services', () => {
  it('are refused from anybody else', async () => {
    const administrator = installation.credentials[home]!
    for (const headers of [source(bucket), onBehalfOf(alice.arn)])
      expect(await encrypt(keys.viaService, headers, administrator)).toMatchObject({
        ...refused,
        message: expect.stringMatching(/^Only a service may send the header x-strongroom-/),
      })
  })

  it('are refused if they are not signed', async () => {
    const { credentials } = service
    const body = { KeyId: keys.ofBucket, Plaintext }
    const {
      method,
      path,
      headers,
      body: bytes,
    } = await signed({ url: gateway.url, credentials, target: 'Encrypt', body })
    const answer = await send(gateway.url, { method, path, headers: { ...headers, ...source(bucket) } }, bytes)
    expect(JSON.parse(answer.body)).toEqual({
      __type: 'InvalidSignatureException',
      message: "'x-strongroom-source-arn' must be a 'SignedHeader' in the AWS Authorization.",
    })
  })
})

describe('a grant to a service', () => {
  const grant = (KeyId: string) => ({ KeyId, GranteeServicePrincipal: s3, Operations: ['Encrypt'] })

  it('is created through the service only', async () => {
    const kms = gateway.client()
    expect(await refusal(kms.createGrant({ ...grant(keys.closed), Operations: ['Encrypt'] }))).toBe(
      'ValidationException: GranteeServicePrincipal can be used by AWS service principals only.',
    )
  })

  it('lets it use the key for the resource that it names', async () => {
    const Constraints = { SourceArn: queue }
    const created = await call('CreateGrant', { ...grant(keys.closed), Constraints }, onBehalfOf(alice.arn))
    expect(created).toMatchObject({ status: 200 })
    const { Grants } = await gateway.client().listGrants({ KeyId: keys.closed })
    expect(Grants).toMatchObject([{ GranteeServicePrincipal: s3, Constraints }])
    expect(Grants![0]).not.toHaveProperty('GranteePrincipal')
    expect(await encrypt(keys.closed, { 'x-strongroom-source-arn': queue })).toMatchObject({ status: 200 })
    for (const headers of [{}, source(bucket), { 'x-strongroom-source-arn': `${queue}2` }])
      expect(await encrypt(keys.closed, headers)).toMatchObject(refused)
    expect(await encrypt(keys.closed, onBehalfOfSession(night))).toMatchObject(refused)
  })
})

describeServiceKeys(() => ({ installation, gateway, service, alice, volumes, reader, call, administer }))

describe('the operator', () => {
  const put = (name: string, rest: string) => administer(`identity service put ${name} ${rest}`)
  const ofUser = (name: string) => `--user ${name} --account ${home} --acts-in ${home}`

  it('lists services, and changes in which accounts one acts, while the gateway runs', async () => {
    const line = (accounts: string) => `${s3}  ${service.arn}  acts in ${accounts}\n`
    expect(await administer(commands[1]!)).toMatchObject({ stdout: line(home) })
    expect(await put(s3, `${ofUser('integrator')} --acts-in ${other}`)).toMatchObject({
      stdout: line(`${home}, ${other}`),
    })
    expect(await encrypt(keys.foreign, source(bucket, other))).toMatchObject({ status: 200 })
    expect(await put(s3, ofUser('integrator'))).toMatchObject({ stdout: line(home) })
    expect(await encrypt(keys.foreign, source(bucket, other))).toMatchObject(refused)
    const { eventName, requestParameters, userIdentity } = gateway
      .records()
      .findLast(({ readOnly }) => readOnly === false)!
    expect({ eventName, requestParameters, userIdentity }).toEqual({
      eventName: 'PutService',
      requestParameters: { name: s3, user: { account: home, name: 'integrator' }, accounts: [home] },
      userIdentity: { type: 'Operator', uid: process.getuid!() },
    })
  })

  it.each([
    ['the user of another service', 'sqs.amazonaws.com', ofUser('integrator'), `are those of ${s3} already`],
    ['no user', s3, ofUser('nobody'), `account ${home} has no user nobody`],
    ['a name of no service', 's3', ofUser('alice'), 'not a service principal, such as s3.amazonaws.com'],
    ['no account', s3, `--user alice --account ${home}`, "required option '--acts-in <id>' not specified"],
    ['no number of an account', s3, `--user alice --account ${home} --acts-in 12`, 'An account ID has 12 digits'],
  ])('cannot name %s', async (_what, name, rest, message) => {
    const { code, stderr } = await put(name, rest)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })

  it('deletes a service, whose user then calls as itself', async () => {
    expect(await administer(commands[2]!)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await encrypt(keys.closed, {})).toMatchObject({ status: 200 })
    expect(lastRecord().userIdentity).toMatchObject({ type: 'IAMUser', userName: 'integrator' })
    expect(await administer(commands[2]!)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`there is no service ${s3}`),
    })
    expect(await administer(commands[0]!)).toMatchObject({ code: 0 })
  })
})

it('services are off by default: their access keys are refused', async () => {
  await gateway.stop()
  installation.configure(config => {
    delete config.authentication
  })
  gateway = await serve(installation)
  for (const headers of [{}, source(bucket), onBehalfOf(alice.arn)])
    expect(await encrypt(keys.ofBucket, headers)).toMatchObject({
      ...refused,
      message: 'Service principals are turned off: see authentication.services.',
    })
})
