/** docs/scenarios.md through the AWS SDK: its policies are put as they stand there, and each row of its tables is tried, in order. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { CreateGrantCommandInput, GrantOperation, KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apis } from '../../src/apis/catalogue.ts'
import { lint } from '../../src/authorization/lint/lint.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type AwsCli, startAwsCli } from '../aws-cli.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { type Identity, withIdentities } from './identities.ts'
import { keyOperations } from './key-operations.ts'
import { call, refusal } from './requests.ts'
import { credentialsFile, policies, preparation, profiles, programs, puts, refusals, scenarios } from './scenarios.ts'

const [owner, partner, stranger] = ['111122223333', '444455556666', '777788889999'] as const
const regions = ['us-east-1', 'eu-west-1'] as const

/** The keys of the page: owner and region. */
const keyring = {
  SHARED_KEY: [owner, regions[0]],
  SNAPSHOT_KEY: [owner, regions[0]],
  VOLUME_KEY: [partner, regions[0]],
  IMAGE_KEY: [owner, regions[0]],
  SOURCE_KEY: [owner, regions[0]],
  TARGET_KEY: [owner, regions[1]],
  BACKUP_KEY: [owner, regions[0]],
  OBJECT_KEY: [owner, regions[0]],
  OBJECT_REPLICA_KEY: [owner, regions[1]],
  TABLE_KEY: [owner, regions[0]],
  TABLE_REPLICA_KEY: [owner, regions[1]],
} as const
type KeyName = keyof typeof keyring
type Context = Record<string, string>
const keys = {} as Record<KeyName, string>

/** Of the multi-Region keys: which key it replicates. */
const primaries: Partial<Record<KeyName, KeyName>> = {
  OBJECT_REPLICA_KEY: 'OBJECT_KEY',
  TABLE_REPLICA_KEY: 'TABLE_KEY',
}

let installation: Installation
let gateway: Gateway
const identities = new Map<string, Identity>()

/** With the ARNs of the keys. */
const filledIn = (text: string) => text.replace(/\$(\w+_KEY)\b/g, (_, name: KeyName) => keys[name])

function credentialsOf(profile: string): Identity['credentials'] {
  const { account } = profiles.find(known => known.profile === profile)!
  return identities.get(profile)?.credentials ?? installation.credentials[account]!
}

/** Resolves to the ARN. */
async function create(name: KeyName): Promise<string> {
  const [account, region] = keyring[name]
  const primary = primaries[name]
  if (primary === undefined) {
    const MultiRegion = Object.values(primaries).includes(name)
    return (await gateway.client({ account, region }).createKey({ MultiRegion })).KeyMetadata!.Arn!
  }
  const replication = { KeyId: keys[primary], ReplicaRegion: region }
  return (await gateway.client({ account }).replicateKey(replication)).ReplicaKeyMetadata!.Arn!
}

const as = (profile: string, region: string = regions[0]): KMS =>
  gateway.client({ credentials: credentialsOf(profile), region })

beforeAll(async () => {
  installation = await install({ accounts: [owner, partner, stranger] })
  installation.configure(config => {
    config.regions = Object.fromEntries(regions.map(region => [region, 'softhsm']))
  })
  gateway = await serve(installation)
  for (const name of Object.keys(keyring) as KeyName[]) keys[name] = await create(name)
  await gateway.stop()
  await withIdentities(installation, async ({ user, role, session }) => {
    for (const { profile, account, type, name, policy } of profiles) {
      if (policy === 'everything') continue
      const given = policy === 'none' ? {} : { policies: [filledIn(policies.get(policy)!)] }
      identities.set(
        profile,
        type === 'user' ? await user(account, name, given) : await session(await role(account, name, given), 'run'),
      )
    }
  })
  gateway = await serve(installation)
  for (const { profile, key, file } of puts)
    await as(profile).putKeyPolicy({ KeyId: filledIn(`$${key}`), Policy: policies.get(file)! })
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const Plaintext = Buffer.from('text')
const volumes = `arn:aws:iam::${partner}:role/volumes`
const copier = `arn:aws:iam::${partner}:role/copier`
const auditor = `arn:aws:iam::${partner}:user/auditor`
const context = (value: string) => ({ 'aws:ebs:id': value })
const snapshot = context('vol-0123456789abcdef0')
const volume = context('vol-0fedcba9876543210')
const bucket = (name: string) => ({ 'aws:s3:arn': `arn:aws:s3:::${name}/object` })
const tenant = (account: string) => ({ tenant: account })
const patients = { table: 'patients' }

/** What the calls of a scenario leave for later ones. */
const made = {
  grant: '',
  from: '',
  to: '',
  copy: Buffer.alloc(0) as Uint8Array,
  attribute: undefined as Uint8Array | undefined,
}
/** A ciphertext of the owner of its key. */
async function sealed(key: KeyName, EncryptionContext: Context = {}) {
  const [account, region] = keyring[key]
  const sealing = gateway.client({ account, region }).encrypt({ KeyId: keys[key], Plaintext, EncryptionContext })
  return (await sealing).CiphertextBlob!
}

const encrypt =
  (key: KeyName, EncryptionContext: Context = {}) =>
  (kms: KMS) =>
    kms.encrypt({ KeyId: keys[key], Plaintext, EncryptionContext })
const decrypt =
  (key: KeyName, EncryptionContext: Context = {}) =>
  async (kms: KMS) =>
    kms.decrypt({ CiphertextBlob: await sealed(key, EncryptionContext), EncryptionContext })
const generateDataKey =
  (key: KeyName, EncryptionContext: Context = {}) =>
  (kms: KMS) =>
    kms.generateDataKey({ KeyId: keys[key], KeySpec: 'AES_256', EncryptionContext })

/** A grant on the snapshot key, as the page has it but for these members. */
const snapshotGrant = (rest: Partial<CreateGrantCommandInput>) => async (kms: KMS) => {
  const answer = await kms.createGrant({
    KeyId: keys.SNAPSHOT_KEY,
    GranteePrincipal: volumes,
    Operations: ['ReEncryptFrom', 'RetireGrant'],
    Constraints: { EncryptionContextSubset: snapshot },
    ...rest,
  })
  made.from = answer.GrantToken!
}
const reEncrypt =
  (from = snapshot, to = volume, tokens: () => string[] = () => []) =>
  async (kms: KMS) => {
    const { CiphertextBlob } = await kms.reEncrypt({
      CiphertextBlob: await sealed('SNAPSHOT_KEY', from),
      SourceEncryptionContext: from,
      DestinationKeyId: keys.VOLUME_KEY,
      DestinationEncryptionContext: to,
      GrantTokens: tokens(),
    })
    made.copy = CiphertextBlob!
  }
const decryptCopy = (kms: KMS, GrantTokens: string[] = []) =>
  kms.decrypt({ CiphertextBlob: made.copy, EncryptionContext: volume, GrantTokens })
/** Encrypted under the primary key. */
const openAttribute = async (kms: KMS) => {
  made.attribute ??= await sealed('TABLE_KEY', patients)
  return kms.decrypt({ CiphertextBlob: made.attribute, EncryptionContext: patients })
}
const grantTokens = () => [made.from, made.to]

/** The calls of the tables, by scenario. Clients are those of the caller, in the first and in the second region. */
const calls: Readonly<Record<string, Readonly<Record<string, (kms: KMS, elsewhere: KMS) => Promise<unknown>>>>> = {
  'Share a key with another account': {
    Encrypt: encrypt('SHARED_KEY'),
    Decrypt: decrypt('SHARED_KEY'),
    GenerateDataKey: generateDataKey('SHARED_KEY'),
    DescribeKey: kms => kms.describeKey({ KeyId: keys.SHARED_KEY }),
    PutKeyPolicy: kms => kms.putKeyPolicy({ KeyId: keys.SHARED_KEY, Policy: policies.get('shared-key-policy.json')! }),
    Sign: kms => kms.sign({ KeyId: keys.SHARED_KEY, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' }),
    'CreateGrant to the auditor': async kms => {
      const Operations: GrantOperation[] = ['Decrypt', 'DescribeKey']
      made.grant = (await kms.createGrant({ KeyId: keys.SHARED_KEY, GranteePrincipal: auditor, Operations })).GrantId!
    },
    RevokeGrant: kms => kms.revokeGrant({ KeyId: keys.SHARED_KEY, GrantId: made.grant }),
  },
  'Share an encrypted snapshot': {
    'CreateGrant on the snapshot key': snapshotGrant({}),
    'CreateGrant on the snapshot key to itself': snapshotGrant({ GranteePrincipal: copier }),
    'CreateGrant on the snapshot key, with Decrypt': snapshotGrant({ Operations: ['ReEncryptFrom', 'Decrypt'] }),
    'CreateGrant on the snapshot key, for any encryption context': snapshotGrant({ Constraints: undefined }),
    'CreateGrant on the volume key': async kms => {
      const answer = await kms.createGrant({
        KeyId: keys.VOLUME_KEY,
        GranteePrincipal: volumes,
        Operations: ['ReEncryptTo', 'Decrypt'],
        Constraints: { EncryptionContextEquals: volume },
      })
      made.to = answer.GrantToken!
    },
    'ReEncrypt the snapshot': reEncrypt(),
    'ReEncrypt another snapshot': reEncrypt(context('vol-of-another-snapshot')),
    'ReEncrypt the snapshot as another volume': reEncrypt(snapshot, context('another-volume')),
    'ReEncrypt the snapshot with the grant tokens': reEncrypt(snapshot, volume, grantTokens),
    'ReEncrypt the snapshot with a forged grant token': reEncrypt(snapshot, volume, () => [
      `${made.from.slice(0, -4)}AAAA`,
    ]),
    'Decrypt the snapshot': decrypt('SNAPSHOT_KEY', snapshot),
    'Decrypt the copy': kms => decryptCopy(kms),
    'Decrypt the copy with the grant tokens': kms => decryptCopy(kms, grantTokens()),
    'RetireGrant on the snapshot key': kms => kms.retireGrant({ GrantToken: made.from }),
  },
  'Share a machine image': {
    DescribeKey: kms => kms.describeKey({ KeyId: keys.IMAGE_KEY }),
    Decrypt: decrypt('IMAGE_KEY'),
    CreateGrant: async kms => {
      const answer = await kms.createGrant({
        KeyId: keys.IMAGE_KEY,
        GranteePrincipal: volumes,
        Operations: ['Decrypt'],
      })
      made.grant = answer.GrantId!
    },
    'ReEncrypt from the image key': async kms =>
      kms.reEncrypt({ CiphertextBlob: await sealed('IMAGE_KEY'), DestinationKeyId: keys.VOLUME_KEY }),
    'ReEncrypt to the image key': async kms =>
      kms.reEncrypt({ CiphertextBlob: await sealed('VOLUME_KEY'), DestinationKeyId: keys.IMAGE_KEY }),
    'every other operation': async kms => {
      const AliasName = 'alias/of-the-volume'
      await kms.createAlias({ AliasName, TargetKeyId: keys.VOLUME_KEY })
      const granted = { KeyId: keys.IMAGE_KEY, GranteePrincipal: auditor, Operations: ['Encrypt' as const] }
      const { GrantId } = await as('owner').createGrant(granted)
      const inputs = keyOperations(keys.IMAGE_KEY, { GrantId: GrantId!, AliasName })
      for (const [operation, input] of Object.entries(inputs)) {
        if (['CreateGrant', 'Decrypt', 'DescribeKey', 'ReEncrypt'].includes(operation)) continue
        const { outcome } = await outcomeOf(call(kms, operation as OperationName, input))
        expect({ operation, outcome }).toEqual({ operation, outcome: 'not shared' })
      }
      return encrypt('IMAGE_KEY')(kms)
    },
  },
  'Replicate objects between Regions': {
    'Decrypt the source': decrypt('SOURCE_KEY', bucket('source')),
    'Decrypt the source of another bucket': decrypt('SOURCE_KEY', bucket('secret')),
    'Decrypt the source without encryption context': decrypt('SOURCE_KEY'),
    'Decrypt the source in the region of the target': (_, kms) => decrypt('SOURCE_KEY', bucket('source'))(kms),
    'Decrypt the target': (_, kms) => decrypt('TARGET_KEY', bucket('target'))(kms),
    'Encrypt to the source': encrypt('SOURCE_KEY', bucket('source')),
    'Encrypt to the target': (_, kms) => encrypt('TARGET_KEY', bucket('target'))(kms),
    'Encrypt to the target as another bucket': (_, kms) => encrypt('TARGET_KEY', bucket('source'))(kms),
    'GenerateDataKey with the target key': (_, kms) => generateDataKey('TARGET_KEY', bucket('target'))(kms),
  },
  'Replicate objects under a multi-Region key': {
    'Decrypt the source': decrypt('OBJECT_KEY', bucket('source')),
    'Decrypt the source in the region of the target': (_, kms) => decrypt('OBJECT_KEY', bucket('source'))(kms),
    'Decrypt the target': (_, kms) => decrypt('OBJECT_REPLICA_KEY', bucket('target'))(kms),
    'Decrypt the target in the region of the source': decrypt('OBJECT_REPLICA_KEY', bucket('target')),
    'Encrypt to the target': (_, kms) => encrypt('OBJECT_REPLICA_KEY', bucket('target'))(kms),
    'Encrypt to the target in the region of the source': encrypt('OBJECT_KEY', bucket('target')),
  },
  'Encrypt attributes of a global table': {
    GenerateDataKey: generateDataKey('TABLE_KEY', patients),
    'GenerateDataKey for another table': generateDataKey('TABLE_KEY', { table: 'staff' }),
    'GenerateDataKey with the replica key': (_, kms) => generateDataKey('TABLE_REPLICA_KEY', patients)(kms),
    'Decrypt with the replica key': (_, kms) => openAttribute(kms),
    'Decrypt with the primary key': openAttribute,
    'DisableKey of the primary key': kms => kms.disableKey({ KeyId: keys.TABLE_KEY }),
    'EnableKey of the primary key': kms => kms.enableKey({ KeyId: keys.TABLE_KEY }),
  },
  'Keep a service from being a confused deputy': {
    'Encrypt for the owner': encrypt('BACKUP_KEY', tenant(owner)),
    'Encrypt for the partner': encrypt('BACKUP_KEY', tenant(partner)),
    'Encrypt for nobody': encrypt('BACKUP_KEY'),
    'Decrypt for the owner': decrypt('BACKUP_KEY', tenant(owner)),
    'Decrypt for the partner': decrypt('BACKUP_KEY', tenant(partner)),
    'GenerateDataKey for the owner': generateDataKey('BACKUP_KEY', tenant(owner)),
  },
}

/** What came of a call, in the words of the page; and why, for the operator. */
async function outcomeOf(call: Promise<unknown>): Promise<{ outcome: string; reasons: readonly string[] }> {
  try {
    await call
    return { outcome: 'allowed', reasons: [''] }
  } catch (thrown) {
    const { $metadata } = thrown as { $metadata?: { requestId?: string } }
    const record = gateway.records().find(({ requestID }) => requestID === $metadata?.requestId)
    const isDenied = record?.errorCode === 'AccessDenied'
    const { reasons = [''] } = ((isDenied && record.additionalEventData?.strongroom) || {}) as { reasons?: string[] }
    return { outcome: refusalOf(await refusal(Promise.reject(thrown))), reasons: reasons.map(withNames) }
  }
}

/** Its name on the page, or the text. */
function refusalOf(text: string): string {
  const message = text.replace(/^AccessDeniedException: /, '')
  const [, caller, action, key] = /^User: (\S+) is .*perform: (\S+) on resource: (\S+) /.exec(message) ?? []
  const general = action
    ? message.replace(caller!, 'CALLER').replaceAll(action, 'ACTION').replace(key!, 'KEY')
    : message
  return refusals.get(general) ?? text
}

/** As the page has it, which knows no ARNs of keys and no ids of grants. */
function withNames(reason: string): string {
  const named = Object.entries(keys).reduce((text, [name, arn]) => text.replaceAll(arn, `$${name}`), reason)
  return named.replace(/\b[0-9a-f]{64}\b/, 'ID')
}

describe.each(scenarios)('$heading', ({ heading, rows }) => {
  it.each(rows)('$caller: $call: $outcome', async ({ caller, call: name, outcome, reason }) => {
    const work = calls[heading]![name]!
    const found = await outcomeOf(work(as(caller), as(caller, regions[1])))
    expect(found.outcome).toBe(outcome)
    expect(found.reasons).toContain(reason)
  })
})

it.each([...policies])('%s has no warning of policy lint, but for the service that calls nobody here', (file, text) => {
  const { vocabulary } = apis[0].policySubject!
  const kind = file.endsWith('key-policy.json') ? 'resource' : 'identity'
  const rules = lint(filledIn(text), { kind, vocabulary, now: Date.now(), account: owner }).map(({ rule }) => rule)
  expect(rules).toEqual([])
})

/** Of the gateway, on the page. */
const pageUrl = 'http://127.0.0.1:7700'
const hasCli = spawnSync('sh', ['-c', 'command -v aws']).status === 0

describe('the commands of the page', () => {
  let folder: string
  let awsCli: AwsCli
  beforeAll(async () => {
    awsCli = await startAwsCli()
    folder = mkdtempSync(join(tmpdir(), 'strongroom-scenarios-'))
    for (const [name, text] of policies) writeFileSync(join(folder, name), filledIn(text))
    for (const [name, code] of programs) writeFileSync(join(folder, name), code.replaceAll(pageUrl, gateway.url))
    symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'credentials'), credentialsFile(credentialsOf))
  })
  afterAll(() => {
    awsCli.stop()
    rmSync(folder, { recursive: true })
  })

  const withCommands = scenarios.filter(({ commands }) => commands.length > 0)
  it.skipIf(!hasCli).each(withCommands)('work: $heading', { timeout: 120_000 }, ({ commands }) => {
    const script = [...preparation, ...commands].join('').replaceAll(pageUrl, gateway.url)
    const env = {
      PATH: `${awsCli.folder}:${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: folder,
      AWS_PAGER: '',
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      ...keys,
    }
    const { status, stdout, stderr } = spawnSync('bash', ['-eu', '-o', 'pipefail', '-c', script], { cwd: folder, env })
    expect(status, `${stdout}${stderr}`).toBe(0)
  })
})
