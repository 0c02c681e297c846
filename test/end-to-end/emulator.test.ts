import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { STS } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { type Gateway, home, type Installation, install, serve, strongroom } from './gateway.ts'
import { refusal } from './requests.ts'

/** Emulator mode, in the place of another emulator of AWS: unmodified clients with its credentials. */

let installation: Installation
let gateway: Gateway
const region = 'us-east-1'

function client(accessKeyId = 'test', secretAccessKey = 'whatever', options: object = {}): KMS {
  return gateway.client({ credentials: { accessKeyId, secretAccessKey }, ...options })
}

const ecc = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'sec1' })
const [seededAes, seededEcc, overdue] = [randomUUID(), randomUUID(), randomUUID()]
const seed = {
  Keys: {
    Symmetric: {
      Aes: [
        {
          Metadata: { KeyId: seededAes, Description: 'seeded' },
          BackingKeys: ['00'.repeat(32), '01'.repeat(32)],
          NextKeyRotation: '2100-01-01T00:00:00+00:00',
        },
        { Metadata: { KeyId: overdue }, BackingKeys: ['02'.repeat(32)], NextKeyRotation: '2020-01-01T00:00:00+00:00' },
      ],
    },
    Asymmetric: { Ecc: [{ Metadata: { KeyId: seededEcc, KeyUsage: 'SIGN_VERIFY' }, PrivateKeyPem: ecc }] },
  },
  Aliases: [{ AliasName: 'alias/testing', TargetKeyId: seededAes }],
}

async function restart(emulator: object): Promise<void> {
  await gateway?.stop()
  installation.configure(config => {
    config.emulator = { spareRsaKeys: 0, seed: { file: 'seed.yaml' }, ...emulator }
  })
  gateway = await serve(installation)
}

beforeAll(async () => {
  installation = await install()
  writeFileSync(join(installation.folder, 'seed.yaml'), stringify(seed))
  await restart({})
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const Plaintext = Buffer.from('a plaintext')

describe('a caller of emulator mode', () => {
  it('needs no valid signature, and belongs to the account that its access key id names, or to the default one', async () => {
    for (const [accessKeyId, account] of [
      ['test', '000000000000'],
      ['AKIAIOSFODNN7EXAMPLE', '000000000000'],
      ['dummy-access.key', '000000000000'],
      ['444455556666', '444455556666'],
    ] as const) {
      const { KeyMetadata } = await client(accessKeyId).createKey({})
      expect(KeyMetadata!.Arn).toBe(`arn:aws:kms:${region}:${account}:key/${KeyMetadata!.KeyId}`)
      const [last] = gateway.records().slice(-1)
      expect(last!.userIdentity).toMatchObject({ arn: `arn:aws:iam::${account}:user/emulator`, accessKeyId })
    }
    expect(await refusal(client('no key/id').listKeys())).toMatch(/^IncompleteSignatureException: /)
    expect(await refusal(client('x'.repeat(129)).listKeys())).toMatch(/^UnrecognizedClientException: /)
  })

  it('may have the session token of another emulator, and a clock that is wrong', async () => {
    const credentials = {
      accessKeyId: 'LSIAQAAAAAAVNCBMPNSG',
      secretAccessKey: 'x',
      sessionToken: 'of another emulator',
    }
    const far = gateway.client({ credentials, systemClockOffset: 86_400_000 })
    expect((await far.createKey({})).KeyMetadata!.AWSAccountId).toBe('000000000000')
  })

  it('may sign nothing at all', async () => {
    const { authorization, ...unsigned } = listKeys
    expect((await send('POST', '/', unsigned)).status).toBe(200)
    const [last] = gateway.records().slice(-1)
    expect(last!.userIdentity).toMatchObject({ arn: 'arn:aws:iam::000000000000:user/emulator' })
    expect(last!.awsRegion).toBe(region)
    expect((await send('POST', '/', { ...unsigned, origin: 'https://attacker.example' })).status).toBe(400)
    const { status, text } = await send('GET', '/?Action=GetCallerIdentity&Version=2011-06-15', {})
    expect([status, text]).toEqual([200, expect.stringContaining('<Arn>arn:aws:iam::000000000000:user/emulator</Arn>')])
  })

  it('may get temporary credentials, which are of its account, and whose signature is verified', async () => {
    const credentials = { accessKeyId: '444455556666', secretAccessKey: 'x' }
    const sts = new STS({ endpoint: gateway.url, region, credentials })
    const { Credentials } = await sts.getSessionToken()
    sts.destroy()
    const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!
    const session = (secretAccessKey: string) =>
      client(AccessKeyId, secretAccessKey, {
        credentials: { accessKeyId: AccessKeyId!, secretAccessKey, sessionToken: SessionToken },
      })
    expect((await session(SecretAccessKey!).createKey({})).KeyMetadata!.AWSAccountId).toBe('444455556666')
    expect(await refusal(session('wrong').createKey({}))).toMatch(/^InvalidSignatureException: /)
  })

  it.each(['af-south-1', 'cn-north-1', 'us-gov-west-1', 'eusc-de-east-1'])('is served in %s', async region => {
    const { KeyMetadata } = await client('test', 'x', { region }).createKey({})
    expect(KeyMetadata!.Arn).toContain(`:kms:${region}:`)
  })

  it('is asked for policies: of keys of other accounts, and of its own', async () => {
    const own = client()
    const KeyId = (await own.createKey({})).KeyMetadata!.Arn!
    expect(await refusal(client('444455556666').encrypt({ KeyId, Plaintext }))).toMatch(/^AccessDeniedException: /)
    const statement = (Effect: string, Principal: object, Action: string) => ({
      Effect,
      Principal,
      Action,
      Resource: '*',
    })
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        statement('Allow', { AWS: 'arn:aws:iam::000000000000:root' }, 'kms:*'),
        // Neither exists.
        statement(
          'Allow',
          { AWS: ['arn:aws:iam::444455556666:role/app', 'arn:aws:iam::000000000000:user/nobody'] },
          'kms:Encrypt',
        ),
        statement('Deny', { AWS: 'arn:aws:iam::000000000000:user/emulator' }, 'kms:Encrypt'),
      ],
    })
    await own.putKeyPolicy({ KeyId, PolicyName: 'default', Policy })
    expect(await refusal(own.encrypt({ KeyId, Plaintext }))).toMatch(/explicit deny in a resource-based policy$/)
    await own.createGrant({
      KeyId,
      GranteePrincipal: 'arn:aws:iam::000000000000:role/nobody',
      Operations: ['Decrypt'],
    })
  })

  it('is who it is if it has an identity here, with a signature that is verified', async () => {
    const { accessKeyId } = installation.credentials[home]!
    const { KeyMetadata } = await gateway.client().createKey({})
    expect(KeyMetadata!.AWSAccountId).toBe(home)
    expect(await refusal(client(accessKeyId).listKeys())).toMatch(/^InvalidSignatureException: /)
  })
})

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

/** As a browser sends it. */
function send(method: string, path: string, headers: Record<string, string>): Promise<Answer> {
  const { port } = new URL(gateway.url)
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, response => {
      let text = ''
      response.on('data', chunk => (text += String(chunk)))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
    })
    sent.on('error', reject)
    sent.end(method === 'POST' ? '{}' : undefined)
  })
}

const listKeys = {
  'content-type': 'application/x-amz-json-1.1',
  'x-amz-target': 'TrentService.ListKeys',
  authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/kms/aws4_request, SignedHeaders=host, Signature=x`,
}

describe('a web page', () => {
  it.each([
    ['of another origin', { origin: 'https://attacker.example' }],
    ['of no origin', { origin: 'null' }],
    ['that the browser does not name', { 'sec-fetch-site': 'cross-site' }],
    ['whose name was made one of this machine', { host: 'attacker.example' }],
    ['with a name like an accepted one', { host: 'localhost.attacker.example:7700' }],
    ['with a name that ends like an accepted one', { host: 'notlocalhost.localstack.cloud' }],
  ])('%s may not call, nor empty an account', async (_, headers) => {
    const { status, text, headers: answered } = await send('POST', '/', { ...listKeys, ...headers })
    expect([status, text]).toEqual([400, expect.stringContaining('NotAuthorizedException')])
    expect(answered['access-control-allow-origin']).toBeUndefined()
    const { KeyMetadata } = await client().createKey({})
    expect((await send('DELETE', '/_emulator/accounts/000000000000', headers)).status).toBe(400)
    expect(await send('OPTIONS', '/', { ...headers, 'access-control-request-method': 'POST' })).toMatchObject({
      status: 400,
    })
    await client().describeKey({ KeyId: KeyMetadata!.KeyId })
  })

  it.each([
    'localhost',
    'kms.localhost:4566',
    '[::1]:7700',
    '192.0.2.1',
    'localhost.localstack.cloud:4566',
    'kms.us-east-1.localhost.localstack.cloud:4566',
  ])('is not what sends Host: %s', async host => {
    expect((await send('POST', '/', { ...listKeys, host })).status).toBe(200)
  })
})

describe('the start of emulator mode', () => {
  it('is on record, before anything that it does', () => {
    const names = gateway.records().map(({ eventName }) => eventName)
    expect(names.indexOf('StartEmulator')).toBeGreaterThan(names.indexOf('CreateAdministrator'))
    expect(names.indexOf('StartEmulator')).toBeLessThan(names.indexOf('CreateSeedKey'))
    const [record] = gateway.records().filter(({ eventName }) => eventName === 'StartEmulator')
    const additionalEventData = { verify: false, enforce: true, allowRemoteClients: false }
    expect(record).toMatchObject({ eventType: 'AwsServiceEvent', additionalEventData })
  })
})

describe('the keys of a seed file', () => {
  it('are there, with their aliases, and left as they are by the next start', async () => {
    const kms = client()
    const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/testing' })
    expect(KeyMetadata).toMatchObject({ KeyId: seededAes, Description: 'seeded', Origin: 'AWS_KMS' })
    const { CiphertextBlob } = await kms.encrypt({ KeyId: seededAes, Plaintext })
    const Message = Buffer.from('a message')
    const signature = await kms.sign({ KeyId: seededEcc, Message, SigningAlgorithm: 'ECDSA_SHA_256' })
    await restart({})
    const opened = await client().decrypt({ CiphertextBlob })
    expect(Buffer.from(opened.Plaintext!)).toEqual(Plaintext)
    const { Signature } = signature
    await client().verify({ KeyId: seededEcc, Message, Signature, SigningAlgorithm: 'ECDSA_SHA_256' })
    expect(gateway.records().filter(({ eventName }) => eventName === 'CreateSeedKey')).toHaveLength(3)
  })

  it('are rotated from their next rotation on, and by callers', async () => {
    const kms = client()
    expect(await kms.getKeyRotationStatus({ KeyId: seededAes })).toMatchObject({
      KeyRotationEnabled: true,
      RotationPeriodInDays: 365,
      NextRotationDate: new Date('2100-01-01'),
    })
    const rotations = async () => (await kms.listKeyRotations({ KeyId: overdue })).Rotations!
    await expect.poll(rotations, { timeout: 15_000 }).toMatchObject([{ RotationType: 'AUTOMATIC' }])
    await kms.rotateKeyOnDemand({ KeyId: overdue })
    await kms.enableKeyRotation({ KeyId: overdue, RotationPeriodInDays: 90 })
    expect(await rotations()).toMatchObject([{ RotationType: 'AUTOMATIC' }, { RotationType: 'ON_DEMAND' }])
    const blob = await kms.encrypt({ KeyId: overdue, Plaintext })
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob: blob.CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
  })
})

describe('an account', () => {
  it('is emptied of its keys and aliases, and no other is', async () => {
    const [one, other] = [client('111111111111'), client('222222222222')]
    for (const kms of [one, other]) {
      const { KeyMetadata } = await kms.createKey({})
      await kms.createAlias({ AliasName: 'alias/key', TargetKeyId: KeyMetadata!.KeyId })
    }
    const deletion = await send('DELETE', '/_emulator/accounts/111111111111', {})
    expect([deletion.status, JSON.parse(deletion.text)]).toEqual([200, { account: '111111111111', keys: 1 }])
    expect([(await one.listKeys()).Keys, (await one.listAliases()).Aliases]).toEqual([[], []])
    expect([(await other.listKeys()).Keys!.length, (await other.listAliases()).Aliases!.length]).toEqual([1, 1])
    const again = await send('DELETE', '/_emulator/accounts/111111111111', {})
    expect(JSON.parse(again.text)).toMatchObject({ keys: 0 })
    const { KeyMetadata } = await one.createKey({})
    await one.createAlias({ AliasName: 'alias/key', TargetKeyId: KeyMetadata!.KeyId })
    for (const id of ['1', '1111111111111', 'x', '..%2f222222222222']) {
      expect((await send('DELETE', `/_emulator/accounts/${id}`, {})).status).toBe(400)
    }
  })
})

describe('settings of emulator mode', () => {
  it('verify only listed access keys, and leave policies out', async () => {
    const foreign = (await client('444455556666').createKey({})).KeyMetadata!.Arn!
    await restart({ verify: true, accessKeys: { test: 'test', '333333333333': 'other' }, enforce: false })
    expect((await client('test', 'test').listKeys()).Keys!.length).toBeGreaterThan(0)
    expect((await client('333333333333', 'other').createKey({})).KeyMetadata!.AWSAccountId).toBe('333333333333')
    expect(await refusal(client('test', 'wrong').listKeys())).toMatch(/^InvalidSignatureException: /)
    expect(await refusal(client('AKIAIOSFODNN7EXAMPLE', 'test').listKeys())).toMatch(/^UnrecognizedClientException: /)
    await client('test', 'test').encrypt({ KeyId: foreign, Plaintext })
    const missing = foreign.replace(/key\/.*/, 'key/00000000-0000-4000-8000-000000000000')
    for (const [KeyId, text] of [
      [missing, `Key '${missing}' does not exist`],
      [`${missing.split(':key/')[0]}:alias/missing`, `Alias ${missing.split(':key/')[0]}:alias/missing is not found.`],
    ])
      expect(await refusal(client('test', 'test').encrypt({ KeyId, Plaintext }))).toBe(`NotFoundException: ${text}`)
    const managed = (await client('test', 'test').encrypt({ KeyId: 'alias/aws/s3', Plaintext })).KeyId!
    for (const caller of [client('test', 'test'), client('333333333333', 'other')])
      expect(await refusal(caller.disableKey({ KeyId: managed }))).toBe(
        `AccessDeniedException: ${managed} is managed by s3.amazonaws.com.`,
      )
    expect((await send('DELETE', '/_emulator/accounts/444455556666', {})).status).toBe(403)
    await client('test', 'test').encrypt({ KeyId: foreign, Plaintext })
  })

  it('let it listen on loopback only, unless that is said twice', async () => {
    const args = ['serve', '--data', installation.folder, '--emulator', '--host', '0.0.0.0']
    const { code, stderr } = await strongroom(args)
    expect([code, stderr]).toEqual([
      1,
      'strongroom: emulator mode lets everybody in who can reach 0.0.0.0: listen on 127.0.0.1, or set emulator.allowRemoteClients too\n',
    ])
  })

  it('refuse what is wrong in a seed file, without showing it', async () => {
    await gateway.stop()
    const [key] = seed.Keys.Symmetric.Aes
    const file = join(installation.folder, 'seed.yaml')
    writeFileSync(file, stringify({ Keys: { Symmetric: { Aes: [{ ...key, BackingKeys: ['00'] }] } } }))
    const { code, stderr } = await strongroom(['serve', '--data', installation.folder])
    const message = `strongroom: seed file ${file}: Keys.Symmetric.Aes.0.BackingKeys.0: not 64 hex digits`
    expect([code, stderr.split('\n').at(-2)]).toEqual([1, message])
  })
})
