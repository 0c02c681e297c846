import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CreateKeyCommandInput, KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type Installation, install, recordsOf, serve } from './gateway.ts'
import { refusal } from './requests.ts'
import { objectsOn } from './token-objects.ts'

/** Keys of emulator mode: of a given id and material, as LocalStack makes them, and RSA keys that are generated ahead. */

const spareRsaKeys = 2
let installation: Installation
let gateway: Gateway
let kms: KMS

async function start(): Promise<void> {
  gateway = await serve(installation)
  kms = gateway.client()
}

beforeAll(async () => {
  installation = await install()
  installation.configure(config => {
    config.emulator = { spareRsaKeys }
    // On a machine with other things to do a late answer is not a false one.
    Object.assign(config.hsms.softhsm!, { callTimeout: '20s' })
  })
  await start()
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

const secrets: string[] = []

function tagged(material: Buffer, id?: string) {
  const TagValue = material.toString('base64')
  secrets.push(TagValue)
  const ids = id === undefined ? [] : [{ TagKey: '_custom_id_', TagValue: id }]
  return [...ids, { TagKey: '_custom_key_material_', TagValue }, { TagKey: 'team', TagValue: 'blue' }]
}

const der = (key: KeyObject, type: 'pkcs8' | 'sec1' | 'pkcs1') =>
  key.export({ format: 'der', type } as never) as unknown as Buffer

async function create(input: CreateKeyCommandInput): Promise<string> {
  return (await kms.createKey(input)).KeyMetadata!.KeyId!
}

describe('a key of a given id and material', () => {
  it('has them, and its material is no tag', async () => {
    const id = randomUUID()
    const material = Buffer.from('custom test key material')
    const KeyId = await create({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC', Tags: tagged(material, id) })
    expect(KeyId).toBe(id)
    const { KeyMetadata } = await kms.describeKey({ KeyId })
    expect(KeyMetadata).toMatchObject({ KeyId, Origin: 'AWS_KMS', KeyState: 'Enabled' })
    const { Mac } = await kms.generateMac({ KeyId, MacAlgorithm: 'HMAC_SHA_256', Message: Buffer.from('a message') })
    expect(Buffer.from(Mac!)).toEqual(createHmac('sha256', material).update('a message').digest())
    await kms.tagResource({ KeyId, Tags: tagged(randomBytes(32)) })
    const { Tags } = await kms.listResourceTags({ KeyId })
    expect(Tags!.map(({ TagKey }) => TagKey)).toEqual(['_custom_id_', 'team'])
  })

  it.each([
    ['RSA_4096', 'pkcs8', generateKeyPairSync('rsa', { modulusLength: 4096 })],
    ['RSA_2048', 'pkcs1', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ECC_SECG_P256K1', 'sec1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['ECC_NIST_P521', 'pkcs8', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ] as const)('%s comes with its public key, in %s', async (KeySpec, form, { privateKey, publicKey }) => {
    const KeyId = await create({ KeySpec, KeyUsage: 'SIGN_VERIFY', Tags: tagged(der(privateKey, form)) })
    const { PublicKey } = await kms.getPublicKey({ KeyId })
    const own = createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' })
    expect(own.equals(publicKey)).toBe(true)
  })

  it('is made once, by one of those who ask at the same time', async () => {
    const Tags = tagged(randomBytes(32), randomUUID())
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => kms.createKey({ Tags })))
    const refused = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason.name] : []))
    expect(refused).toEqual(Array.from({ length: 4 }, () => 'AlreadyExistsException'))
    // No object of the others is left on the token.
    const { Keys } = await kms.listKeys()
    const imported = (await objectsOn(installation)).filter(({ label }) => label.includes(':key/'))
    expect(imported.map(({ label }) => label).sort()).toEqual(Keys!.map(({ KeyArn }) => KeyArn).sort())
  })

  it.each([
    ['an id that is none', { Tags: [{ TagKey: '_custom_id_', TagValue: 'mine' }] }, /_custom_id_ is not a UUID/],
    ['a key that is too short', { Tags: tagged(randomBytes(31)) }, /has 32 bytes, not 31\.$/],
    [
      'a key on another curve',
      {
        KeySpec: 'ECC_NIST_P256',
        KeyUsage: 'SIGN_VERIFY',
        Tags: tagged(der(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'pkcs8')),
      },
      /its curve is not that of key spec ECC_NIST_P256\.$/,
    ],
  ] as const)('is refused with %s', async (_, input, message) => {
    const text = await refusal(kms.createKey(input as CreateKeyCommandInput))
    expect(text).toMatch(/^ValidationException: /)
    expect(text).toMatch(message)
  })

  it('may be a multi-Region key, whose id is taken in every region', async () => {
    const id = `mrk-${'0a'.repeat(16)}`
    const request = { MultiRegion: true, Tags: tagged(randomBytes(32), id) }
    expect((await kms.createKey(request)).KeyMetadata!.KeyId).toBe(id)
    const elsewhere = gateway.client({ region: 'eu-west-1' })
    expect(await refusal(elsewhere.createKey(request))).toMatch(/^AlreadyExistsException/)
    await kms.replicateKey({ KeyId: id, ReplicaRegion: 'eu-west-1' })
    const { CiphertextBlob } = await kms.encrypt({ KeyId: id, Plaintext: Buffer.from('text') })
    expect(Buffer.from((await elsewhere.decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('text')
    for (const wrong of [{ Tags: request.Tags }, { MultiRegion: true, Tags: tagged(randomBytes(32), randomUUID()) }])
      expect(await refusal(kms.createKey(wrong))).toMatch(/^ValidationException: The value of the tag _custom_id_/)
  })

  it('leaves its material neither on record nor in storage', async () => {
    const files = ['audit.jsonl', 'strongroom.db', 'strongroom.db-wal'].map(name => {
      return readFileSync(join(installation.folder, name), 'latin1')
    })
    expect(secrets.length).toBeGreaterThan(5)
    for (const file of files) for (const secret of secrets) expect(file).not.toContain(secret)
    const [recorded] = gateway.records().filter(({ eventName }) => eventName === 'CreateKey')
    expect(recorded!.requestParameters!.tags).toContainEqual({ tagKey: '_custom_key_material_' })
  })

  it('is not of imported material, which would be on the HSM before the import', async () => {
    const Tags = tagged(randomBytes(32))
    expect(await refusal(kms.createKey({ Origin: 'EXTERNAL', Tags }))).toBe(
      'TagException: The tag _custom_key_material_ is for keys of Origin AWS_KMS.',
    )
  })
})

const signing = { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' } as const

describe('an AWS managed key', () => {
  const KeyId = 'alias/aws/s3'
  const Plaintext = Buffer.from('text')
  const account = '444455556666'
  const clientOf = (account: string) =>
    gateway.client({ credentials: { accessKeyId: account, secretAccessKey: 'any' } })

  it('is made when anybody uses its alias, once for each account', async () => {
    const clients = [kms, kms, clientOf(account)]
    const answers = await Promise.all(clients.map(client => client.encrypt({ KeyId, Plaintext })))
    const [one, again, other] = answers.map(answer => answer.KeyId)
    expect([again === one, other === one]).toEqual([true, false])
    const { Plaintext: opened } = await kms.decrypt({ CiphertextBlob: answers[0]!.CiphertextBlob })
    expect(Buffer.from(opened!)).toEqual(Plaintext)
    const { KeyMetadata } = await kms.describeKey({ KeyId })
    expect(KeyMetadata).toMatchObject({ Arn: one, KeyManager: 'AWS', Description: expect.stringContaining('S3') })
    const { Aliases } = await kms.listAliases()
    expect(Aliases).toMatchObject([{ AliasName: KeyId, TargetKeyId: KeyMetadata!.KeyId }])
  })

  it('is managed by nobody, and there is none for a service that AWS does not have', async () => {
    const { KeyMetadata } = await kms.describeKey({ KeyId })
    expect(await refusal(kms.scheduleKeyDeletion({ KeyId: KeyMetadata!.KeyId }))).toMatch(
      /^AccessDeniedException: .* because no resource-based policy allows the kms:ScheduleKeyDeletion action$/,
    )
    for (const name of ['alias/aws/nothing', 'alias/aws/', 'alias/aws/S3', 'alias/aws/s3/other'])
      expect(await refusal(kms.encrypt({ KeyId: name, Plaintext }))).toMatch(
        /^NotFoundException: Alias .* not found\.$/,
      )
  })

  it('is made again after its account was emptied', async () => {
    const described = async () => (await clientOf(account).describeKey({ KeyId })).KeyMetadata!.KeyId
    const before = await described()
    expect((await fetch(`${gateway.url}/_emulator/accounts/${account}`, { method: 'DELETE' })).ok).toBe(true)
    expect(await described()).not.toBe(before)
  })
})

describe('spare RSA keys', () => {
  const events = (name: string) => recordsOf(installation).filter(({ eventName }) => eventName === name).length
  const made = (count: number) => expect.poll(() => events('CreateSpareKey'), { timeout: 60_000 }).toBe(count)

  async function generations(): Promise<number> {
    const text = await (await fetch(gateway.metricsUrl)).text()
    const counts = [...text.matchAll(/^strongroom_hsm_calls_total\{.*operation="generateSlowKey".*\} (\d+)$/gm)]
    return counts.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  it('are what CreateKey answers with, in both usages, and are replaced', async () => {
    await made(2 * spareRsaKeys)
    const before = await generations()
    const KeyId = await create(signing)
    expect(await generations()).toBe(before)
    await create({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
    const Message = Buffer.from('a message')
    const SigningAlgorithm = 'RSASSA_PSS_SHA_256'
    const { Signature } = await kms.sign({ KeyId, Message, SigningAlgorithm })
    expect((await kms.verify({ KeyId, Message, SigningAlgorithm, Signature })).SignatureValid).toBe(true)
    await made(2 * spareRsaKeys + 2)
  })

  it('are given once, to callers at the same time and through kills, and fewer than asked for are enough', async () => {
    for (let round = 0; round < 2; round++) {
      const calls = Array.from({ length: 6 }, () => kms.createKey(signing))
      // The gateway dies after the first answer, with spare keys taken by the other calls.
      await Promise.any(calls)
      await gateway.kill()
      await Promise.allSettled(calls)
      await start()
    }
    const { Keys } = await kms.listKeys()
    const publicKeys = await Promise.all(
      Keys!.map(async ({ KeyId }) => {
        const { KeyMetadata } = await kms.describeKey({ KeyId })
        if (KeyMetadata!.KeySpec !== 'RSA_2048') return KeyId!
        return Buffer.from((await kms.getPublicKey({ KeyId })).PublicKey!).toString('base64')
      }),
    )
    expect(publicKeys.length).toBeGreaterThan(9)
    expect(new Set(publicKeys).size).toBe(publicKeys.length)
  })

  it('are destroyed when the gateway starts in another mode', async () => {
    await gateway.stop()
    installation.configure(config => void delete config.emulator)
    await start()
    await expect.poll(() => events('DropSpareKey'), { timeout: 60_000 }).toBeGreaterThanOrEqual(spareRsaKeys)
    await create(signing)
  })
})
