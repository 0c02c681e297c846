import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { KMS } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shapeNamed } from '../../src/apis/kms/model.ts'
import { checkpointIn, publicKeysIn, signingKeyIn, TrustedKeys } from '../../src/audit/checkpoint.ts'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { keyMaterialTag } from '../../src/model/keys/tags.ts'
import { type Gateway, home, type Installation, install, serve, strongroom } from './gateway.ts'
import { refusal, send, signedPost } from './requests.ts'
import { checkAuditFiles, formsOf, Secrets } from './secrets.ts'

/** The record that each call leaves, and what is never written anywhere. */

let installation: Installation
let gateway: Gateway
let kms: KMS
let keyId: string
let arn: string

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
  const { KeyMetadata } = await kms.createKey({})
  keyId = KeyMetadata!.KeyId!
  arn = KeyMetadata!.Arn!
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

const aliasArn = `arn:aws:kms:us-east-1:${home}:alias/audited`
const ofKey = () => [{ ARN: arn, accountId: home, type: 'AWS::KMS::Key' }]
const ofBoth = () => [...ofKey(), { ARN: aliasArn, accountId: home, type: 'AWS::KMS::Alias' }]

/** The records that the call left, read when its answer has just arrived. */
/** Of calls only: the gateway may record something of its own meanwhile. */
async function recordsOf(call: () => Promise<unknown>): Promise<AuditRecord[]> {
  const calls = () => gateway.records().filter(({ eventType }) => eventType === 'AwsApiCall')
  const before = calls().length
  await call().catch(() => undefined)
  return calls().slice(before)
}

describe('init', () => {
  it('audits what it creates: the token, system keys, the administrator and its access key', () => {
    const records = gateway
      .records()
      .filter(({ eventType, eventSource }) => eventType === 'AwsServiceEvent' && eventSource !== 'strongroom')
    const byWhom = { command: 'init', uid: process.getuid!() }
    expect(gateway.records()[0]).toMatchObject({
      eventName: 'InitializeToken',
      serviceEventDetails: { hsm: 'softhsm', ...byWhom },
    })
    const { accessKeyId } = installation.credentials[home]!
    const own = (purpose: string) => ({
      eventName: 'CreateSystemKey',
      additionalEventData: {
        hsm: 'softhsm',
        purpose,
        keyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
        ...byWhom,
      },
    })
    const ARN = `arn:aws:iam::${home}:user/administrator`
    expect(records).toMatchObject([
      own('seal'),
      own('canary'),
      own('audit'),
      {
        eventName: 'CreateAdministrator',
        resources: [{ ARN, accountId: home, type: 'AWS::IAM::User' }],
        additionalEventData: { accessKeyId, ...byWhom },
      },
    ])
  })
})

describe('a call', () => {
  it('is audited with caller, operation, time, address and result', async () => {
    const before = Date.now()
    const [record, ...others] = await recordsOf(() =>
      kms.encrypt({ KeyId: keyId, Plaintext: Buffer.from('text'), EncryptionContext: { purpose: 'audit' } }),
    )
    expect(others).toEqual([])
    expect(record).toEqual({
      eventVersion: '1.11',
      eventID: expect.stringMatching(/^[0-9a-f-]{36}$/),
      requestID: expect.stringMatching(/^[0-9a-f-]{36}$/),
      eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      eventSource: 'kms.amazonaws.com',
      eventName: 'Encrypt',
      eventType: 'AwsApiCall',
      eventCategory: 'Management',
      managementEvent: true,
      readOnly: true,
      awsRegion: 'us-east-1',
      recipientAccountId: home,
      userIdentity: {
        type: 'IAMUser',
        principalId: expect.stringMatching(/^AIDA[A-Z2-7]{17}$/),
        arn: `arn:aws:iam::${home}:user/administrator`,
        accountId: home,
        accessKeyId: installation.credentials[home]!.accessKeyId,
        userName: 'administrator',
      },
      sourceIPAddress: '127.0.0.1',
      userAgent: expect.stringMatching(/^aws-sdk-js\//),
      requestParameters: { keyId, encryptionAlgorithm: 'SYMMETRIC_DEFAULT', encryptionContext: { purpose: 'audit' } },
      responseElements: null,
      additionalEventData: {
        keyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
        strongroom: {
          hsm: 'softhsm',
          custody: 1,
          reasons: [
            'The resource-based policy allows the action to the account, and an identity-based policy to the caller.',
          ],
          durationMs: expect.any(Number),
        },
      },
      resources: ofKey(),
    })
    expect(Date.parse(record!.eventTime)).toBeGreaterThanOrEqual(before - 1000)
    expect(Date.parse(record!.eventTime)).toBeLessThanOrEqual(Date.now())
  })

  type Row = readonly [string, () => Promise<unknown>, () => object]
  const calls: readonly Row[] = [
    [
      'CreateAlias',
      () => kms.createAlias({ AliasName: 'alias/audited', TargetKeyId: keyId }),
      () => ({
        readOnly: false,
        requestParameters: { aliasName: 'alias/audited', targetKeyId: keyId },
        responseElements: { keyId: arn },
        resources: ofBoth(),
      }),
    ],
    [
      'UpdateAlias',
      () => kms.updateAlias({ AliasName: 'alias/audited', TargetKeyId: arn }),
      () => ({
        resources: ofBoth(),
      }),
    ],
    [
      'DescribeKey',
      () => kms.describeKey({ KeyId: 'alias/audited' }),
      () => ({
        readOnly: true,
        requestParameters: { keyId: 'alias/audited' },
        resources: ofKey(),
      }),
    ],
    ['DeleteAlias', () => kms.deleteAlias({ AliasName: 'alias/audited' }), () => ({ resources: ofBoth() })],
    ['ListKeys', () => kms.listKeys({ Limit: 5 }), () => ({ requestParameters: { limit: 5 }, resources: [] })],
    [
      'TagResource',
      () => kms.tagResource({ KeyId: arn, Tags: [{ TagKey: 'a', TagValue: 'b' }] }),
      () => ({
        readOnly: false,
        requestParameters: { keyId: arn, tags: [{ tagKey: 'a', tagValue: 'b' }] },
        responseElements: { keyId: arn },
        resources: ofKey(),
      }),
    ],
    [
      'GenerateRandom',
      () => kms.generateRandom({ NumberOfBytes: 8 }),
      () => ({
        requestParameters: { numberOfBytes: 8 },
      }),
    ],
    [
      'ScheduleKeyDeletion',
      () => kms.scheduleKeyDeletion({ KeyId: arn }),
      () => ({
        responseElements: {
          keyId: arn,
          keyState: 'PendingDeletion',
          pendingWindowInDays: 30,
          deletionDate: expect.any(String),
        },
      }),
    ],
    [
      'DisableKey',
      () => kms.disableKey({ KeyId: arn }),
      () => ({
        errorCode: 'KMSInvalidStateException',
        errorMessage: `${arn} is pending deletion.`,
        responseElements: null,
        resources: ofKey(),
      }),
    ],
    ['CancelKeyDeletion', () => kms.cancelKeyDeletion({ KeyId: arn }), () => ({ responseElements: { keyId: arn } })],
    ['EnableKey', () => kms.enableKey({ KeyId: arn }), () => ({ requestParameters: { keyId: arn } })],
    [
      'Encrypt',
      () => kms.encrypt({ KeyId: arn, Plaintext: Buffer.from('x'), DryRun: true }),
      () => ({
        errorCode: 'DryRunOperationException',
        requestParameters: { keyId: arn, encryptionAlgorithm: 'SYMMETRIC_DEFAULT', dryRun: true },
        resources: ofKey(),
      }),
    ],
    [
      'ReEncrypt',
      () => kms.reEncrypt({ CiphertextBlob: Buffer.from('garbage'), DestinationKeyId: arn }),
      () => ({
        errorCode: 'InvalidCiphertextException',
        requestParameters: {
          destinationKeyId: arn,
          sourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
          destinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
        },
      }),
    ],
    [
      'DescribeKey',
      () => kms.describeKey({ KeyId: 'nonsense' }),
      () => ({
        errorCode: 'NotFoundException',
        errorMessage: "Invalid keyId 'nonsense'",
      }),
    ],
    [
      'Decrypt',
      () => kms.decrypt({ CiphertextBlob: Buffer.from('garbage') }),
      () => ({
        errorCode: 'InvalidCiphertextException',
        errorMessage: '',
        requestParameters: { encryptionAlgorithm: 'SYMMETRIC_DEFAULT' },
      }),
    ],
    [
      'PutKeyPolicy',
      () => kms.putKeyPolicy({ KeyId: arn, Policy: 'x' }),
      () => ({
        errorCode: 'MalformedPolicyDocumentException',
      }),
    ],
  ]

  it('leaves one record, whether allowed or refused', async () => {
    for (const [eventName, call, expected] of calls) {
      const records = await recordsOf(call)
      expect(records, eventName).toMatchObject([{ eventName, recipientAccountId: home, ...expected() }])
    }
  })

  it('that creates a key names the key', async () => {
    const [record] = await recordsOf(() => kms.createKey({ Description: 'named' }))
    const created = (record!.responseElements as { keyMetadata: { arn: string } }).keyMetadata.arn
    expect(record).toMatchObject({
      eventName: 'CreateKey',
      readOnly: false,
      requestParameters: { description: 'named' },
      resources: [{ ARN: created, type: 'AWS::KMS::Key' }],
    })
    expect((await kms.describeKey({ KeyId: created })).KeyMetadata!.Description).toBe('named')
  })

  it('that is denied is called AccessDenied, as in CloudTrail', async () => {
    const missing = 'arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab'
    expect(await recordsOf(() => kms.describeKey({ KeyId: missing }))).toMatchObject([
      { eventName: 'DescribeKey', errorCode: 'AccessDenied', errorMessage: expect.stringMatching(/^User: /) },
    ])
  })

  it('that is unauthenticated or malformed leaves a record of what is known', async () => {
    const own = { url: gateway.url, credentials: installation.credentials[home]! }
    const rows: [() => Promise<unknown>, object][] = [
      [() => send(gateway.url, { method: 'POST' }), { errorCode: 'MissingAuthenticationTokenException' }],
      [
        () => signedPost({ ...own, credentials: { ...own.credentials, secretAccessKey: 'wrong' } }),
        { errorCode: 'InvalidSignatureException' },
      ],
      [
        () => signedPost({ ...own, target: 'Fly' }),
        { errorCode: 'UnknownOperationException', recipientAccountId: home },
      ],
      [
        () => signedPost({ ...own, target: 'Encrypt', body: '{' }),
        { errorCode: 'SerializationException', eventName: 'Encrypt', recipientAccountId: home },
      ],
      [
        () => signedPost({ ...own, target: 'Encrypt', body: '{}' }),
        { errorCode: 'ValidationException', eventName: 'Encrypt', requestParameters: null },
      ],
      [() => signedPost({ ...own, target: 'Encapsulate' }), { errorCode: 'UnsupportedOperationException' }],
      [() => signedPost({ ...own, body: Buffer.alloc(2 ** 21) }), { errorCode: 'RequestEntityTooLargeException' }],
    ]
    for (const [call, expected] of rows) {
      const records = await recordsOf(call)
      expect(records).toMatchObject([{ sourceIPAddress: '127.0.0.1', ...expected }])
    }
  })

  it('of many at once leaves exactly one record each, on disk before it is answered', async () => {
    const before = gateway.records().length
    const ids = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const { $metadata } = await kms.encrypt({ KeyId: arn, Plaintext: Buffer.from(String(i)) })
        expect(readFileSync(join(installation.folder, 'audit.jsonl'), 'utf8')).toContain($metadata.requestId)
        return $metadata.requestId
      }),
    )
    const recorded = gateway.records().slice(before)
    expect(recorded.map(({ requestID }) => requestID).sort()).toEqual(ids.sort())
  })
})

describe('the check of audit files for secrets, when a gateway of the tests ends', () => {
  const secret = fc.uint8Array({ minLength: 15, maxLength: 100 }).filter(bytes => new Set(bytes).size > 4)
  const texts: readonly ((bytes: Buffer) => string)[] = [
    bytes => bytes.toString('hex'),
    bytes => bytes.toString('hex').toUpperCase(),
    bytes => bytes.toString('base64'),
    bytes => bytes.toString('base64url'),
    bytes => Buffer.concat([Buffer.from('x'), bytes]).toString('base64'),
    bytes => Buffer.concat([Buffer.from('xy'), bytes]).toString('base64'),
  ]

  it('finds them in any form, also if they are cut, and finds nothing else', () => {
    fc.assert(
      fc.property(secret, secret, fc.constantFrom(...texts), fc.string(), (bytes, other, textOf, before) => {
        const secrets = new Secrets()
        secrets.add(bytes)
        const line = JSON.stringify({ requestParameters: { before, keyId: textOf(Buffer.from(bytes)).slice(0, 200) } })
        expect(secrets.foundIn(line).length).toBeGreaterThan(0)
        fc.pre(Buffer.compare(Buffer.from(bytes).subarray(0, 12), Buffer.from(other).subarray(0, 12)) !== 0)
        expect(secrets.foundIn(textOf(Buffer.from(other)))).toEqual([])
      }),
    )
  })

  it('knows what is secret in each request and answer by the models', () => {
    const secrets = new Secrets()
    const of = (text: string) => Buffer.from(`${text} of a test`)
    secrets.addFrom(
      {
        KeyId: 'a key that is no secret',
        Plaintext: of('the plaintext'),
        GrantTokens: ['a grant token of a test'],
        EncryptionContext: { purpose: 'an encryption context' },
      },
      'EncryptRequest',
      shapeNamed,
    )
    secrets.addFrom({ CiphertextBlob: of('a ciphertext').toString('base64') }, 'EncryptResponse', shapeNamed)
    secrets.addFrom(
      { Tags: [{ TagKey: keyMaterialTag, TagValue: 'material of a test' }] },
      'CreateKeyRequest',
      shapeNamed,
    )
    const text = 'the plaintext of a test, a grant token of a test, a ciphertext of a test, material of a test'
    expect(secrets.foundIn(text)).toHaveLength(4)
    expect(secrets.foundIn('a key that is no secret, an encryption context')).toEqual([])
  })

  it('reports one', () => {
    const { folder } = installation
    const leaked = join(folder, 'audit-00000099.jsonl')
    const { secretAccessKey } = installation.credentials[home]!
    writeFileSync(leaked, `{"userAgent":"${secretAccessKey}"}\n`)
    expect(() => checkAuditFiles(folder)).toThrow(/^a secret is in audit-00000099.jsonl/)
    rmSync(leaked)
    expect(() => checkAuditFiles(folder)).not.toThrow()
  })
})

describe('the disk', () => {
  it('never holds a plaintext, data key, random bytes or secret access key, and the journal no ciphertext', async () => {
    const plaintext = Buffer.from('a plaintext that stands out 0123456789')
    const encrypted = await kms.encrypt({ KeyId: arn, Plaintext: plaintext })
    const CiphertextBlob = encrypted.CiphertextBlob!
    const decrypted = await kms.decrypt({ CiphertextBlob })
    const reEncrypted = await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: arn })
    const dataKey = await kms.generateDataKey({ KeyId: arn, KeySpec: 'AES_256' })
    const without = await kms.generateDataKeyWithoutPlaintext({ KeyId: arn, KeySpec: 'AES_256' })
    const random = await kms.generateRandom({ NumberOfBytes: 32 })
    const damaged = Buffer.from(CiphertextBlob)
    damaged[60]! ^= 1
    const damagedHeader = Buffer.from(CiphertextBlob)
    damagedHeader[3]! ^= 1
    expect(await refusal(kms.decrypt({ CiphertextBlob: damaged }))).toBe('InvalidCiphertextException')
    await refusal(kms.decrypt({ CiphertextBlob: damagedHeader }))
    await refusal(kms.encrypt({ KeyId: 'nonsense', Plaintext: plaintext }))
    await refusal(kms.encrypt({ KeyId: arn, Plaintext: Buffer.concat(Array(200).fill(plaintext)) }))
    await signedPost({
      url: gateway.url,
      credentials: installation.credentials[home]!,
      target: 'Encrypt',
      body: `{"Plaintext": "${plaintext.toString('base64')}", "KeyId": `,
    })

    const { secretAccessKey } = installation.credentials[home]!
    const pins = ['pin', 'so-pin'].map(name => readFileSync(join(installation.folder, name), 'utf8').trim())
    const secrets = [
      plaintext,
      decrypted.Plaintext!,
      dataKey.Plaintext!,
      random.Plaintext!,
      Buffer.from(secretAccessKey),
    ]
    const blobs = [encrypted, reEncrypted, dataKey, without].map(({ CiphertextBlob }) => CiphertextBlob!)
    const written = filesIn(installation.folder).filter(({ name }) => !['credentials', 'pin', 'so-pin'].includes(name))
    expect(written.map(({ name }) => name)).toContain('strongroom.db-wal')
    for (const { name, bytes } of written) {
      for (const secret of [...secrets, ...pins.map(pin => Buffer.from(pin))]) {
        for (const form of [Buffer.from(secret), ...formsOf(Buffer.from(secret))])
          expect(bytes.includes(form), `${form} in ${name}`).toBe(false)
      }
    }
    const journal = readFileSync(join(installation.folder, 'audit.jsonl'))
    for (const blob of [...blobs, damaged, damagedHeader]) {
      for (const form of [Buffer.from(blob), ...formsOf(Buffer.from(blob))]) expect(journal.includes(form)).toBe(false)
    }
    expect(gateway.complaints().join()).not.toContain(plaintext.toString('base64'))
  })

  it('holds nothing that other users can read', () => {
    for (const { name, mode } of filesIn(installation.folder)) expect(mode & 0o077, name).toBe(0)
  })
})

function filesIn(folder: string): { name: string; mode: number; bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .map(path => ({ name: relative(folder, path), mode: statSync(path).mode, bytes: readFileSync(path) }))
}

describe('the key that signs checkpoints', () => {
  const pem = () => readFileSync(join(installation.folder, 'audit-key.pem'), 'utf8')
  const data = () => ['--data', installation.folder]

  it('can be replaced while the gateway runs, and has signed every record when it has stopped', async () => {
    const first = pem()
    const { stdout, stderr } = await strongroom(['audit', 'rotate-key', ...data(), '--json'])
    expect(stderr).toBe('')
    const { fingerprint, previousFingerprint, publicKey } = JSON.parse(stdout)
    expect(pem()).toBe(publicKey)
    const responseElements = { fingerprint, previousFingerprint }
    expect(gateway.records().at(-1)).toMatchObject({ eventName: 'RotateAuditKey', responseElements })
    await gateway.stop()

    const lines = readFileSync(join(installation.folder, 'audit.jsonl'), 'utf8').split('\n')
    const checkpoints = lines.flatMap(line => checkpointIn(line) ?? [])
    const trusted = new TrustedKeys(publicKeysIn(first))
    for (const line of lines) {
      const change = signingKeyIn(line)
      if (change) expect(trusted.change(change)).toBe('valid')
    }
    expect(checkpoints.map(checkpoint => trusted.check(checkpoint))).toEqual(checkpoints.map(() => 'valid'))
    expect(new Set(checkpoints.map(({ key }) => key))).toEqual(new Set([previousFingerprint, fingerprint]))
    expect(checkpoints.at(-1)!.record).toBe(gateway.records().length)

    const copy = join(installation.folder, 'former-key.pem')
    writeFileSync(copy, first)
    const verified = await strongroom(['audit', 'verify', ...data(), '--public-key', copy])
    expect(verified.stdout).toMatch(/\nsigned: records 1 to [\d,]+, by the checkpoint of .*\nwhole\n$/)
    expect(verified).toMatchObject({ code: 0, stderr: '' })
  })

  it('is created by init where an older version has left none, and needed for a start', async () => {
    const database = new DatabaseSync(join(installation.folder, 'strongroom.db'))
    database.exec("delete from system_keys where purpose = 'audit'")
    database.close()
    const before = pem()
    const refused = await strongroom(['serve', ...data(), '--port', '0'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(
      /^strongroom: .*no audit key on the HSM softhsm: run strongroom init, which creates it\n$/,
    )
    const { code, stdout } = await strongroom(['init', ...data(), '--account', home])
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('audit-key.pem (SHA-256 ') })
    expect(pem()).not.toBe(before)
  })
})
