import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encryptionLimit, rotationThreshold } from '../../src/model/keys/encryption-limit.ts'
import type { Usage } from '../../src/operations/administration/get-usage.ts'
import { query } from '../storage/database-files.ts'
import { type Gateway, home, type Installation, install, serve, strongroom } from './gateway.ts'
import { call, refusal } from './requests.ts'

/** What is known of the use of keys, across restarts and a crash. */

let installation: Installation
let gateway: Gateway
let kms: KMS
/** Symmetric keys, and one for signatures. */
let [first, second, unused, signing]: string[] = []
const Plaintext = Buffer.from('attack at dawn')

async function restart(end: () => Promise<unknown>, meanwhile = () => {}): Promise<void> {
  await end()
  meanwhile()
  gateway = await serve(installation)
  kms = gateway.client()
}

async function createKey(input: object = {}): Promise<string> {
  return (await kms.createKey(input)).KeyMetadata!.Arn!
}

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
  ;[first, second, unused, signing] = await Promise.all([
    createKey(),
    createKey(),
    createKey(),
    createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
  ])
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

describe('GetKeyLastUsage', () => {
  const lastUse = async (KeyId: string) => (await kms.getKeyLastUsage({ KeyId })).KeyLastUsage!

  it('tells that a key was not used since its creation', async () => {
    const { KeyMetadata } = await kms.describeKey({ KeyId: unused })
    const { CreationDate } = KeyMetadata!
    const { $metadata: _, ...answer } = await kms.getKeyLastUsage({ KeyId: KeyMetadata!.KeyId })
    expect(answer).toEqual({
      KeyId: unused,
      KeyLastUsage: {},
      TrackingStartDate: CreationDate,
      KeyCreationDate: CreationDate,
    })
  })

  it('tells the last operation, its time, its audit record and its request', async () => {
    const { CiphertextBlob, $metadata: encryption } = await kms.encrypt({ KeyId: first, Plaintext })
    expect(await lastUse(first!)).toMatchObject({ Operation: 'Encrypt', KmsRequestId: encryption.requestId })
    const { $metadata: decryption } = await kms.decrypt({ CiphertextBlob })
    const use = await lastUse(first!)
    const record = gateway.records().find(({ requestID }) => requestID === decryption.requestId)!
    expect(use).toEqual({
      Operation: 'Decrypt',
      Timestamp: expect.any(Date),
      CloudTrailEventId: record.eventID,
      KmsRequestId: decryption.requestId,
    })
    expect(Math.abs(use.Timestamp!.getTime() - Date.parse(record.eventTime))).toBeLessThan(1000)
  })

  it('tells of both keys of ReEncrypt', async () => {
    const { CiphertextBlob } = await kms.encrypt({ KeyId: first, Plaintext })
    const { $metadata } = await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: second })
    for (const KeyId of [first, second])
      expect(await lastUse(KeyId!)).toMatchObject({ Operation: 'ReEncrypt', KmsRequestId: $metadata.requestId })
  })

  it('tells of no request that failed or is no use of the key', async () => {
    const { Signature } = await kms.sign({ KeyId: signing, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' })
    const before = await lastUse(signing!)
    expect(before.Operation).toBe('Sign')
    await kms.getPublicKey({ KeyId: signing })
    await kms.describeKey({ KeyId: signing })
    const message = { KeyId: signing!, SigningAlgorithm: 'ECDSA_SHA_256', Message: Plaintext }
    const wrong = { ...message, Message: Buffer.from('other') }
    expect(await refusal(call(kms, 'Verify', { ...wrong, Signature }))).toContain('KMSInvalidSignatureException')
    expect(await refusal(call(kms, 'Sign', { ...message, DryRun: true }))).toContain('DryRunOperationException')
    await kms.disableKey({ KeyId: signing })
    expect(await refusal(call(kms, 'Sign', message))).toContain('DisabledException')
    expect(await lastUse(signing!)).toEqual(before)
    await kms.rotateKeyOnDemand({ KeyId: unused })
    expect(await lastUse(unused!)).toEqual({})
  })

  it('is not for aliases, and not for other accounts', async () => {
    await kms.createAlias({ AliasName: 'alias/first', TargetKeyId: first })
    expect(await refusal(call(kms, 'GetKeyLastUsage', { KeyId: 'alias/first' }))).toContain('InvalidArnException')
    const missing = first!.replace(/.{12}$/, '000000000000')
    expect(await refusal(call(kms, 'GetKeyLastUsage', { KeyId: missing }))).toContain('NotFoundException')
  })
})

describe('uses of keys, across restarts', () => {
  const database = () => join(installation.folder, 'strongroom.db')
  /** Encryptions under the first material of a key, in storage, while no gateway runs. */
  function stored(KeyId: string): unknown {
    const material = `select id from key_materials where key_arn = '${KeyId}' and position = 0`
    return query(database(), `select count from encryption_counts where material = (${material})`)[0]?.count
  }
  /** Of all materials of a key. */
  function store(KeyId: string, count: number): void {
    const counts = `select id, ${count} from key_materials where key_arn = '${KeyId}'`
    query(database(), `insert or replace into encryption_counts ${counts}`)
  }
  const encrypt = (KeyId: string, times: number) =>
    Promise.all(Array.from({ length: times }, () => kms.encrypt({ KeyId, Plaintext })))

  it('are known exactly after the gateway was stopped', async () => {
    // After a ReEncrypt.
    await encrypt(second!, 30)
    const { KeyLastUsage } = await kms.getKeyLastUsage({ KeyId: second })
    await restart(
      () => gateway.stop(),
      () => expect(stored(second!)).toBe(31),
    )
    expect((await kms.getKeyLastUsage({ KeyId: second })).KeyLastUsage).toEqual(KeyLastUsage)
  })

  it('are shown by the command line', async () => {
    const command = ['usage', 'keys', '--data', installation.folder]
    const { stdout } = await strongroom([...command, '--json', '--limit', '2', '--account', home])
    const { systemKeys, keys, encryptionLimit: limit } = JSON.parse(stdout)
    const { KeyLastUsage } = await kms.getKeyLastUsage({ KeyId: second })
    const lastUse = { operation: 'Encrypt', requestId: KeyLastUsage!.KmsRequestId }
    expect(limit).toBe(encryptionLimit)
    expect(systemKeys).toMatchObject([{ key: 'seal' }, { key: 'canary' }])
    expect(keys).toMatchObject([
      { key: second, hsm: 'softhsm', encryptions: 31, lastUse },
      { key: first, encryptions: 2, lastUse: { operation: 'ReEncrypt' } },
    ])
    const lines = (await strongroom(command)).stdout.split('\n')
    expect(lines.find(line => line.startsWith(second!))).toMatch(
      /^\S+ +softhsm +31 encryptions +0\.0% +last used \S+Z by Encrypt$/,
    )
    expect(lines.find(line => line.startsWith('seal'))).toMatch(/^seal +softhsm +1 encryption /)
    expect(lines.find(line => line.startsWith(signing!))).toMatch(/^\S+ +softhsm +last used \S+Z by Sign$/)
  })

  it('are not underestimated after it was killed', async () => {
    await encrypt(second!, 20)
    await restart(() => gateway.kill())
    await gateway.stop()
    expect(stored(second!)).toBeGreaterThanOrEqual(51)
    expect(stored(second!)).toBeLessThanOrEqual(51 + 65_536)
  })

  it('rotate a key before its limit of encryptions, and end those under imported material at the limit', async () => {
    store(unused!, rotationThreshold)
    store(first!, encryptionLimit - 1)
    query(database(), `update keys set origin = 'EXTERNAL' where arn = '${first}'`)
    query(database(), `update key_materials set imported = 1 where key_arn = '${first}'`)
    await restart(async () => {})
    const { CiphertextBlob } = await kms.encrypt({ KeyId: first, Plaintext })
    const input = { KeyId: first, DestinationKeyId: first, Plaintext, CiphertextBlob, KeySpec: 'AES_256' }
    for (const operation of ['Encrypt', 'GenerateDataKey', 'ReEncrypt'] as const)
      expect(await refusal(call(kms, operation, input))).toMatch(
        /^LimitExceededException: The key material \w{64} has encrypted 4294967296 messages, as many as AES-GCM allows\. Import new key material/,
      )
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
    await gateway.logged(({ event, key }) => event === 'key_rotated_at_limit' && key === unused)
    const { Rotations } = await kms.listKeyRotations({ KeyId: unused })
    expect(Rotations).toMatchObject([{ RotationType: 'ON_DEMAND' }, { RotationType: 'AUTOMATIC' }])
  })
})

describe('calls on record', () => {
  const report = (...options: readonly string[]) =>
    strongroom(['usage', '--data', installation.folder, '--from', '2020-01-01', '--to', '2050-01-01', ...options])

  /** Calls by month and operation, and which of them failed, by the journal itself. */
  function onRecord(): Record<string, readonly [number, number]> {
    const counts: Record<string, readonly [number, number]> = {}
    for (const { eventSource, eventType, eventTime, eventName, errorCode } of gateway.records()) {
      if (eventSource !== 'kms.amazonaws.com' || eventType !== 'AwsApiCall') continue
      const id = `${eventTime.slice(0, 7)} ${eventName}`
      const [calls, failed] = counts[id] ?? [0, 0]
      counts[id] = [calls + 1, failed + Number(errorCode !== undefined)]
    }
    return counts
  }

  async function reported(): Promise<Record<string, readonly [number, number]>> {
    const { stdout, stderr } = await report('--by', 'month,operation', '--json')
    expect(stderr).toBe('')
    const { rows } = JSON.parse(stdout) as Usage
    const counted = rows.filter(({ calls }) => calls > 0)
    return Object.fromEntries(
      counted.map(({ month, operation, calls, failedCalls }) => [`${month} ${operation}`, [calls, failedCalls]]),
    )
  }

  it('are all counted, each once, after a crash, and those since the start in a metric', async () => {
    const running = Array.from({ length: 50 }, () => kms.encrypt({ KeyId: second, Plaintext }).catch(() => undefined))
    await running[0]
    await restart(() => gateway.kill())
    await kms.encrypt({ KeyId: second, Plaintext })
    expect(await reported()).toEqual(onRecord())
    const metrics = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
    expect(metrics).toContain(`strongroom_metered_calls_total{account="${home}",operation="Encrypt"} 1\n`)
  })

  it('are reported with their cost, as a table and as CSV', async () => {
    const { stdout } = await report('--by', 'key,kind', '--csv')
    const [head, ...lines] = stdout.trimEnd().split('\r\n')
    expect(head).toBe('key,kind,calls,failed_calls,key_months,cost,currency')
    expect(lines.find(line => line.startsWith(`${signing},asymmetric`))).toMatch(
      /,asymmetric,\d+,\d+,0,0\.0000\d+,USD$/,
    )
    expect(lines.find(line => line.startsWith(`${signing},keyMonth`))).toMatch(/,keyMonth,0,0,0\.\d+,0\.\d+,USD$/)
    const table = (await report()).stdout.trimEnd().split('\n')
    expect(table[0]).toBe('From 2020-01-01 to 2050-01-01, in UTC:')
    expect(table[1]).toMatch(/^account +calls +failed +key-months +cost in USD$/)
    expect(table[2]).toMatch(new RegExp(`^${home} +\\d+ +\\d+ +\\d+\\.\\d{4} +\\d+\\.\\d{4}$`))
    expect(table.at(-1)).toMatch(/^Calls before \d{4}-\d\d-\d\d are not on record\.$/)
  })

  it('are counted again from the journal once the index is deleted, without a gateway, too', async () => {
    const before = await reported()
    await gateway.stop()
    for (const file of readdirSync(installation.folder).filter(name => name.startsWith('audit-index.db')))
      rmSync(join(installation.folder, file))
    expect(await reported()).toEqual(before)
  })
})
